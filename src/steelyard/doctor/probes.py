"""The texts that a target is asked about: easy pairs in Chinese and English that any healthy model ranks.

Every pair was written for this purpose; the first word of most documents is shared, so that a model that reads only
the first token cannot rank them.
"""

from __future__ import annotations

from typing import NamedTuple


class Pair(NamedTuple):
    """A query and the document that answers it."""

    query: str
    document: str


PAIRS: tuple[Pair, ...] = (
    Pair("怎么申请退款", "如果您想退款，请在三十天内打开订单页面，点击申请退款并填写原因。"),
    Pair("明天北京会下雨吗", "如果您明天到北京，请带伞：气象台预报全市有中到大雨。"),
    Pair("猫咪不吃东西怎么办", "如果您的猫一天以上不进食，应尽快带它去看兽医。"),
    Pair("如何重置路由器密码", "如果您忘了路由器密码，按住背面的复位键十秒即可恢复出厂设置。"),
    Pair("高血压饮食要注意什么", "如果您有高血压，要少盐少油，多吃蔬菜，并按时量血压。"),
    Pair("红烧肉怎么做", "如果您想做红烧肉，五花肉先焯水，再加冰糖、酱油小火炖一小时。"),
    Pair("公司什么时候发工资", "如果您是正式员工，工资于每月十日打入银行卡。"),
    Pair("这本书的作者是谁", "如果您喜欢《围城》，可以再读它的作者钱锺书的散文。"),
    Pair("how do I renew my passport", "If your passport has expired, book an appointment and bring two photos."),
    Pair("why is the sky blue", "If you look up, air scatters short wavelengths of sunlight most, so it seems blue."),
    Pair("best time to plant tomatoes", "If you grow tomatoes, plant the seedlings after the last frost in spring."),
    Pair("my laptop battery drains fast", "If your notebook runs out of power quickly, replace its old battery."),
    Pair("train from Paris to London", "If you go by rail from the French to the British capital, take the Eurostar."),
    Pair("symptoms of a cold", "If you have a runny nose, a sore throat and a cough, it is probably a common cold."),
    Pair("how to boil an egg", "If you like it soft, cook the egg in boiling water for six minutes."),
    Pair("capital of Australia", "If you think of Sydney you are wrong: Australia is governed from Canberra."),
)  # fmt: skip

QUERIES: tuple[str, ...] = tuple(p.query for p in PAIRS)
DOCUMENTS: tuple[str, ...] = tuple(p.document for p in PAIRS)
