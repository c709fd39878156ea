// The code of a one-time link stands after # in its address, where no server sees it: it goes into the form.
(() => {
  "use strict";
  if (window.location.hash.length < 2) return;
  document.getElementById("code").value = window.location.hash.slice(1);
  window.history.replaceState(null, "", window.location.pathname);
})();
