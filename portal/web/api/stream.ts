/**
 * Server-sent events that answer a request with a body, which the browser's own EventSource cannot send.
 *
 * Comes in: the response. Goes out: events in their order, until the connection ends; comments are left out. Invariant: an
 * event that came in pieces is told once it is whole, and one that was cut off never.
 */
export interface Told {
  name: string;
  data: unknown;
}

/** The events of a response, as they come. Throws what reading throws. */
export async function* events(response: Response): AsyncGenerator<Told> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const pieces = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = pieces.pop() ?? "";
      for (const piece of pieces) {
        const told = parsed(piece);
        if (told) yield told;
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

function parsed(piece: string): Told | null {
  let name = "message";
  let data = "";
  for (const line of piece.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data += line.slice(5).trim();
  }
  return data === "" ? null : { name, data: JSON.parse(data) as unknown };
}
