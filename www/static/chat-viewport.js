// Phones whose on-screen keyboard covers the page instead of making it smaller: the chat takes the part that is seen.

const seen = globalThis.visualViewport;

function fit() {
  // Somebody who has zoomed in looks at a part on purpose.
  if (Math.abs(seen.scale - 1) > 0.01) return;
  document.documentElement.style.setProperty("--seen", `${seen.height}px`);
  scrollTo(0, 0);
}

seen?.addEventListener("resize", fit);
seen?.addEventListener("scroll", fit);
