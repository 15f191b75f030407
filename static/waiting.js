// The page about an app that waits for approval asks now and then whether it is decided, and then loads anew: the server
// knows where to go from there. Without this script the page's own link does the same.
"use strict";

const status = document.getElementById("waiting");
const FIRST_MS = 3000;
const LONGEST_MS = 20000;

function look(wait) {
  window.setTimeout(async () => {
    let waiting = true;
    try {
      const answer = await fetch(status.dataset.stateUrl, { cache: "no-store" });
      waiting = answer.status >= 429 || (answer.ok && (await answer.json()).state === "waiting");
    } catch {
      waiting = true; // the network, or the server, is away: ask again
    }
    if (waiting) {
      look(Math.min(wait * 1.3, LONGEST_MS));
      return;
    }
    status.textContent = status.dataset.done;
    document.title = status.dataset.done;
    window.location.reload();
  }, wait);
}

look(FIRST_MS);
