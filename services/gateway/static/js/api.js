// Talks to the gateway: REST with the token, errors that a person can read, and the live socket.

const TOKEN = "whaletrader.token";
const TRY_AGAIN_MS_MIN = 500;
const TRY_AGAIN_MS_MAX = 8_000;

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? "",
  set: (value) => sessionStorage.setItem(TOKEN, value),
};

/** Ask; throws ApiError. `onToken` is called when the desk wants a token. */
export async function ask(path, { method = "GET", body, headers = {} } = {}) {
  const shown = token.get() ? { authorization: `Bearer ${token.get()}` } : {};
  const sent = body === undefined ? {} : { "content-type": "application/json" };
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...shown, ...sent, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, "unreachable", "The gateway does not answer.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const error = answer.error ?? {};
    const fields = (error.fields ?? []).map((one) => `${one.field}: ${one.message}`).join("; ");
    throw new ApiError(response.status, error.code ?? "refused",
      fields || error.message || `The gateway answered ${response.status}.`);
  }
  return answer;
}

const b64url = (text) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** Keep a socket open for good. Calls back: message(data), state("live" | "connecting"), refused(). */
export function live({ message, state, refused }) {
  let delayMs = TRY_AGAIN_MS_MIN;
  let socket;
  const open = () => {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const protocols = ["whaletrader.v1"];
    if (token.get()) protocols.push(`token.${b64url(token.get())}`);
    socket = new WebSocket(`${scheme}//${location.host}/ws`, protocols);
    socket.addEventListener("message", (event) => {
      delayMs = TRY_AGAIN_MS_MIN;
      state("live");
      message(JSON.parse(event.data));
    });
    socket.addEventListener("close", async () => {
      state("connecting");
      // The handshake does not say why it failed; a request does.
      if (await wantsToken()) return refused();
      setTimeout(open, delayMs);
      delayMs = Math.min(TRY_AGAIN_MS_MAX, delayMs * 2);
    });
  };
  open();
  return { again: () => { delayMs = TRY_AGAIN_MS_MIN; open(); } };
}

async function wantsToken() {
  try {
    await ask("/api/progress");
    return false;
  } catch (error) {
    return error.status === 401;
  }
}
