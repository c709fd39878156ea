// Inside Airflow's frame, wear Airflow's theme; alone, the one that the reader's system asks for.
(() => {
  "use strict";
  if (window.parent === window) return;
  let host;
  try {
    host = window.parent.document.documentElement;
  } catch {
    return; // a page of another origin: its theme is none of our business
  }
  const follow = () => {
    document.documentElement.dataset.theme = host.classList.contains("dark") ? "dark" : "light";
  };
  new MutationObserver(follow).observe(host, { attributes: true, attributeFilter: ["class"] });
  follow();
})();
