import { decode, encode } from 'cborg'
import type { SideStore } from '../../crdt/replica/index.ts'
import type { PeerId } from '../transport.ts'

/** Where the replica keeps the addresses of members. */
export const ADDRESSES_NAMESPACE = 'addresses'

/** Addresses kept for a member; a machine with many interfaces has some. */
const MAX_ADDRESSES = 16

/** At which addresses members were last known: what they said themselves comes before what others said of them. */
export class AddressBook {
  readonly #side: SideStore
  readonly #addresses: Map<PeerId, readonly string[]>

  private constructor(side: SideStore, addresses: Map<PeerId, readonly string[]>) {
    this.#side = side
    this.#addresses = addresses
  }

  static async load(side: SideStore): Promise<AddressBook> {
    const stored = await side.list(ADDRESSES_NAMESPACE)
    return new AddressBook(side, new Map(stored.map(({ key, value }) => [key as PeerId, decode(value) as string[]])))
  }

  of(peer: PeerId): readonly string[] {
    return this.#addresses.get(peer) ?? []
  }

  /** What is known of the given members, to be told to another. */
  about(peers: Iterable<PeerId>): [PeerId, readonly string[]][] {
    return [...peers].flatMap((peer) =>
      this.of(peer).length > 0 ? [[peer, this.of(peer)] as [PeerId, readonly string[]]] : [],
    )
  }

  /** Replaces what is known by what the member says of itself. Returns whether that was new. */
  learn(peer: PeerId, addresses: readonly string[]): Promise<boolean> {
    return this.#keep(peer, addresses)
  }

  /** Adds what another member knows, behind what is known. Returns whether that was new. */
  hear(peer: PeerId, addresses: readonly string[]): Promise<boolean> {
    return this.#keep(peer, [...this.of(peer), ...addresses])
  }

  async #keep(peer: PeerId, addresses: readonly string[]): Promise<boolean> {
    const kept = [...new Set(addresses)].slice(0, MAX_ADDRESSES)
    if (kept.length === 0 || kept.join() === this.of(peer).join()) return false
    this.#addresses.set(peer, kept)
    await this.#side.write([{ namespace: ADDRESSES_NAMESPACE, key: peer, value: encode(kept) }])
    return true
  }
}
