"use strict";
(() => {
  const read = (id) => {
    const element = document.getElementById(id);
    return element ? JSON.parse(element.textContent) : null;
  };
  const make = (tag, text = "", name = "") => {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, key) => (key in values ? values[key] : all));

  const data = read("lost-data");
  const state = { search: "", lost: "", won: "", category: "", kind: "" };
  const controls = {};
  const PAGE = 30;
  let shown = PAGE;

  function lists() {
    const { systems, documents, queries, words } = data;
    const list = document.getElementById("queries");
    const count = document.getElementById("count");
    const more = document.getElementById("more");
    const haystacks = queries.map(([text, , right, losses]) => {
      const places = new Set(right);
      for (const loss of losses) for (const place of loss[3]) places.add(place);
      return [text, ...[...places].map((place) => documents[place])].join("\n").toLowerCase();
    });

    function fits(query, index) {
      const [, category, , losses] = query;
      if (state.category && category !== state.category) return false;
      const loss = state.lost === "" ? null : losses.find((one) => one[0] === Number(state.lost));
      if (state.lost !== "" && !loss) return false;
      if (state.won !== "" && losses.some((one) => one[0] === Number(state.won))) return false;
      if (state.kind && !(loss ? [loss] : losses).some((one) => one[1] === state.kind)) return false;
      return state.search.split(/\s+/).every((word) => haystacks[index].includes(word));
    }

    function hit(place, right) {
      const item = make("li");
      const isRight = right.includes(place);
      item.append(make("span", documents[place] || words.text_missing, "text"));
      if (isRight) {
        item.className = "is-right";
        item.append(" ", make("b", words.is_right, "tag"));
      }
      return item;
    }

    function loser([system, kind, rank, hits, value], right) {
      const part = make("section", "", "loser");
      const head = make("h3", systems[system]);
      const place = rank ? fill(words.rank, { rank }) : fill(words.beyond, { kept: data.kept });
      head.append(" ", make("span", [value && `${data.measure} ${value}`, data.kinds[kind], place].filter(Boolean).join(" · "), "how"));
      const ranking = make("ol", "", "hits");
      ranking.append(...hits.map((one) => hit(one, right)));
      part.append(head, ranking);
      return part;
    }

    function detail(query, box) {
      const [, , right, losses] = query;
      const rights = make("div", "", "right");
      rights.append(make("h3", right.length > 1 ? words.right_many : words.right));
      for (const place of right) rights.append(make("p", documents[place] || words.text_missing));
      const all = make("div", "", "losers");
      const first = state.lost === "" ? losses : [...losses].sort((a) => (a[0] === Number(state.lost) ? -1 : 0));
      all.append(...first.map((loss) => loser(loss, right)));
      box.append(rights, all);
    }

    function entry(query) {
      const [text, category, , losses] = query;
      const item = make("li");
      const details = make("details");
      const summary = make("summary");
      const labels = make("span", "", "labels");
      if (category) labels.append(make("span", data.categories[category] || category));
      labels.append(make("span", fill(words.systems, { count: losses.length })));
      summary.append(make("span", text, "query"), " ", labels);
      details.append(summary);
      details.addEventListener("toggle", () => {
        if (details.open && details.childElementCount === 1) {
          const box = make("div", "", "detail");
          detail(query, box);
          details.append(box);
        }
      });
      item.append(details);
      return item;
    }

    function draw() {
      const found = queries.filter(fits);
      list.replaceChildren(...found.slice(0, shown).map(entry));
      count.textContent = found.length ? fill(words.count, { count: found.length, total: queries.length }) : words.empty;
      const left = found.length - shown;
      more.hidden = left <= 0;
      more.textContent = fill(words.more, { count: Math.min(left, PAGE) });
    }

    more.addEventListener("click", () => {
      const before = list.childElementCount;
      shown += PAGE;
      draw();
      const next = list.children[before];
      if (next) next.querySelector("summary").focus();
    });
    return () => {
      shown = PAGE;
      draw();
    };
  }

  function field(label, control, key) {
    const box = make("label", "", "field " + key);
    control.id = "filter-" + key;
    box.append(make("span", label), control);
    controls[key] = control;
    return box;
  }

  function choice(key, label, options) {
    const select = make("select");
    for (const [value, text] of [["", data.words.any], ...options]) {
      const option = make("option", text);
      option.value = value;
      select.append(option);
    }
    return field(label, select, key);
  }

  function filters(redraw) {
    const { words } = data;
    const form = document.getElementById("filters");
    const search = make("input");
    search.type = "search";
    search.placeholder = words.search_hint;
    const systems = data.systems.map((name, index) => [String(index), name]);
    form.append(field(words.search, search, "search"));
    form.append(choice("lost", words.lost_by, systems), choice("won", words.won_by, systems));
    if (Object.keys(data.categories).length > 1) form.append(choice("category", words.category, Object.entries(data.categories)));
    if (Object.keys(data.kinds).length) form.append(choice("kind", words.kind, Object.entries(data.kinds)));
    const clear = make("button", words.clear, "clear");
    clear.type = "reset";
    form.append(clear);
    const take = () => {
      for (const [key, control] of Object.entries(controls)) state[key] = control.value;
      state.search = state.search.trim().toLowerCase();
      redraw();
    };
    form.addEventListener("input", take);
    form.addEventListener("reset", () => setTimeout(take));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    return (chosen) => {
      form.reset();
      for (const [key, value] of Object.entries(chosen)) if (controls[key]) controls[key].value = value;
      setTimeout(() => {
        take();
        document.getElementById("lost").scrollIntoView();
        controls.search.focus({ preventScroll: true });
      });
    };
  }

  function charts(choose) {
    const specs = read("specs");
    const options = { actions: false, ast: true, renderer: "svg", defaultStyle: false, tooltip: { disableDefaultStyle: true } };
    const pending = [];
    for (const box of document.querySelectorAll("[data-chart]")) {
      const key = box.dataset.chart;
      const drawn = window.vegaEmbed(box, specs[key], options).then((made) => {
        if (!choose || !["categories", "fooled"].includes(key)) return;
        made.view.addEventListener("click", (event, item) => {
          const datum = item && item.datum;
          if (!datum || !datum.system) return;
          const lost = String(data.systems.indexOf(datum.system));
          choose(key === "categories" ? { lost, category: datum.id } : { lost, kind: datum.id });
        });
      });
      pending.push(drawn);
    }
    Promise.all(pending).then(() => document.documentElement.setAttribute("data-drawn", "yes"));
  }

  let choose = null;
  if (data) {
    const redraw = lists();
    choose = filters(redraw);
    redraw();
  }
  charts(choose);
})();
