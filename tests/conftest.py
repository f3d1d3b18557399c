"""Settings shared by every test."""

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "steelyard",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)
settings.load_profile("steelyard")
