// Asks the server. Every question is a GET: the page changes nothing.

// ask returns the answer to a question as JSON, or as text if form is "text". It throws an Error
// that says what to do.
export async function ask(name, params = {}, { signal, form = "json" } = {}) {
  const url = new URL("api/" + name, document.baseURI);
  for (const [key, value] of Object.entries(params)) {
    if (value instanceof Date) url.searchParams.set(key, value.toISOString());
    else if (value !== "" && value !== null && value !== undefined) url.searchParams.set(key, value);
  }
  const response = await fetch(url, { signal, cache: "no-store", credentials: "same-origin" });
  if (response.ok) return response[form]();
  throw new Error(await reason(response));
}

async function reason(response) {
  if (response.status === 401 || response.status === 403) {
    return "nvactl web has another token now. Open the address that it printed when it started.";
  }
  try {
    const { error } = await response.json();
    if (error) return error;
  } catch { /* the answer is not from nvactl web: the status says more */ }
  return "The server answered " + response.status + " " + response.statusText + ".";
}

// latest wraps an asynchronous function so that a new call aborts the one before it. The aborted
// call returns undefined. Without this, a slow answer for an old moment could arrive last and stay.
export function latest(work) {
  let controller = null;
  return async (...args) => {
    if (controller) controller.abort();
    const mine = (controller = new AbortController());
    try {
      const result = await work(mine.signal, ...args);
      return mine.signal.aborted ? undefined : result;
    } catch (err) {
      if (mine.signal.aborted) return undefined;
      throw err;
    }
  };
}
