/** A digit of LEB128 holds 7 bits. Four hold more than anything in a frame counts. */
const MAX_DIGITS = 4
const LIMIT = 2 ** (7 * MAX_DIGITS)

/** Puts columns behind each other: numbers (LEB128) and bytes. Equal small numbers in a row compress to almost nothing. */
export class ColumnWriter {
  readonly #columns: Uint8Array[] = []

  /** @param values whole numbers from 0 to 2^28 − 1. @throws RangeError for others */
  numbers(values: readonly number[]): void {
    const column = new Uint8Array(values.length * MAX_DIGITS)
    let end = 0
    for (const value of values) {
      if (!(Number.isInteger(value) && value >= 0 && value < LIMIT)) throw new RangeError(`${value} is out of range`)
      let rest = value
      for (; rest > 0x7f; rest >>>= 7) column[end++] = (rest & 0x7f) | 0x80
      column[end++] = rest
    }
    this.#columns.push(column.subarray(0, end))
  }

  bytes(parts: readonly Uint8Array[]): void {
    for (const part of parts) this.#columns.push(part)
  }

  /** All columns in the order in which they were written. */
  end(): Uint8Array {
    return Buffer.concat(this.#columns)
  }
}

/** Undoes a {@link ColumnWriter}, whose order the caller knows. Takes no memory for what is not there. */
export class ColumnReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    // Views of a Buffer would be Buffers, which take several times as long to make.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** Bytes that have not been read. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** @throws RangeError for a number that ends too late, or is longer than it needs to be */
  number(): number {
    let value = 0
    for (let digit = 0; digit < MAX_DIGITS; digit++) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) break
      value |= (byte & 0x7f) << (7 * digit)
      if (byte > 0x7f) continue
      if (byte === 0 && digit > 0) break
      return value
    }
    throw new RangeError('not a number')
  }

  /** @throws RangeError as {@link number}, and unless there are so many */
  numbers(count: number): Uint32Array {
    this.#need(count)
    const values = new Uint32Array(count)
    for (let i = 0; i < count; i++) values[i] = this.number()
    return values
  }

  /** A view of the next bytes. @throws RangeError unless there are so many */
  bytes(length: number): Uint8Array {
    this.#need(length)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** @throws RangeError unless everything has been read */
  end(): void {
    if (this.left > 0) throw new RangeError(`${this.left} bytes too many`)
  }

  #need(bytes: number): void {
    if (bytes > this.left) throw new RangeError('ends too early')
  }
}
