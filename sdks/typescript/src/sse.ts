/** Server-sent events: bytes in, frames out, wherever the bytes are cut. */

/** One event of a stream. */
export interface Frame {
  /** Its type; `message` when the stream does not say. */
  readonly event: string;
  readonly data: string;
  /** The last id that the stream gave; empty before the first. */
  readonly id: string;
}

/** Puts chunks together to frames. Comments are no frames; what is unfinished at the end is dropped, as the standard says. */
export class Frames {
  #decoder = new TextDecoder();
  #rest = "";
  #afterReturn = false;
  #event = "";
  #data: string[] = [];
  #id = "";

  /** The frames that these bytes complete. */
  *feed(chunk: Uint8Array): Generator<Frame> {
    const text = this.#decoder.decode(chunk, { stream: true });
    if (text === "") return;
    // A CR ended the last chunk and its line; a LF that begins this one belongs to it.
    const lines = (this.#rest + (this.#afterReturn && text.startsWith("\n") ? text.slice(1) : text)).split(
      /\r\n|\n|\r/,
    );
    this.#afterReturn = text.endsWith("\r");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const frame = this.#line(line);
      if (frame) yield frame;
    }
  }

  #line(line: string): Frame | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }

  #dispatch(): Frame | undefined {
    const [event, data] = [this.#event, this.#data];
    this.#event = "";
    this.#data = [];
    return data.length === 0 ? undefined : { event: event || "message", data: data.join("\n"), id: this.#id };
  }
}
