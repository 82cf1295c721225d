"use strict";
// Narrows the list of cases, and opens what a link leads to. Without this everything is there to be read.
const form = document.querySelector("form.filter");
const cases = [...document.querySelectorAll("#cases > .case")];
const texts = cases.map((one) => one.querySelector("summary").textContent.toLowerCase());
const search = form.querySelector("input[type=search]");
const boxes = [...form.querySelectorAll("input[type=checkbox]")];

function narrow() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const kinds = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  let shown = 0;
  cases.forEach((one, index) => {
    const fits = kinds.has(one.dataset.kind) && words.every((word) => texts[index].includes(word));
    one.hidden = !fits;
    shown += fits ? 1 : 0;
  });
  form.querySelector("output").textContent = `${shown} of ${cases.length}`;
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.matches(".case")) {
    target.hidden = false;
    target.open = true;
    target.scrollIntoView();
  }
}

form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", narrow);
window.addEventListener("hashchange", openTarget);
narrow();
openTarget();
