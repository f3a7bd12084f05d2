import { KstateError } from "../error/index.ts";
import { PAGE_SIZE } from "./layout.ts";

type TypedArrayConstructor<T> = new (buffer: ArrayBuffer, byteOffset: number, length: number) => T;

/** A run of 2^order pages of physical memory. Its address is its offset in there, the same for every program. */
export class Folio {
  readonly address: bigint;
  readonly order: number;
  readonly #view: () => Uint8Array<ArrayBuffer>;
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  /** @internal Folios are made by `alloc` and found by `claim` of a `PhysicalMemory`. */
  constructor(address: number, order: number, view: () => Uint8Array<ArrayBuffer>) {
    this.address = BigInt(address);
    this.order = order;
    this.#view = view;
  }

  /** All of its bytes; the same memory for every program that holds the folio. The view is made when it is first used. */
  get bytes(): Uint8Array<ArrayBuffer> {
    this.#bytes ??= this.#view();
    return this.#bytes;
  }

  /** Size in bytes. */
  get size(): number {
    return PAGE_SIZE * 2 ** this.order;
  }

  /** A typed array over the whole folio, or over `length` elements from byte `offset` on. */
  view<T>(
    type: TypedArrayConstructor<T> & { readonly BYTES_PER_ELEMENT: number },
    offset = 0,
    length = Math.floor((this.size - offset) / type.BYTES_PER_ELEMENT),
  ): T {
    if (offset < 0 || offset + length * type.BYTES_PER_ELEMENT > this.size) {
      throw new KstateError(
        "FOLIO_INVALID",
        `cannot view ${length} elements at ${offset} of the folio at ${this.address}: it has ${this.size} bytes`,
        { address: Number(this.address) },
      );
    }
    return new type(this.bytes.buffer, this.bytes.byteOffset + offset, length);
  }

  toString(): string {
    return `folio at 0x${this.address.toString(16)} of ${this.size} bytes`;
  }
}
