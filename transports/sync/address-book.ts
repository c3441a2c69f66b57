import { decode, encode } from 'cborg'
import type { SideStore, SideWrite } from '../../crdt/replica/index.ts'
import type { PeerId } from '../transport.ts'

/** Where the replica keeps the addresses of members. */
export const ADDRESSES_NAMESPACE = 'addresses'

/** Addresses kept for a member; a machine with many interfaces has some. */
const MAX_ADDRESSES = 16

interface Known {
  /** What the member said of itself, last. */
  readonly own: readonly string[]
  /** What others said of it, last. */
  readonly heard: readonly string[]
}

/** At which addresses members were last known: what they said themselves comes before what others said of them. */
export class AddressBook {
  readonly #side: SideStore
  readonly #known: Map<PeerId, Known>

  private constructor(side: SideStore, known: Map<PeerId, Known>) {
    this.#side = side
    this.#known = known
  }

  static async load(side: SideStore): Promise<AddressBook> {
    const stored = await side.list(ADDRESSES_NAMESPACE)
    const known = stored.map(({ key, value }): [PeerId, Known] => {
      const [own, heard] = decode(value) as [string[], string[]]
      return [key as PeerId, { own, heard }]
    })
    return new AddressBook(side, new Map(known))
  }

  of(peer: PeerId): readonly string[] {
    const { own = [], heard = [] } = this.#known.get(peer) ?? {}
    return [...new Set([...own, ...heard])]
  }

  /** What is known of the given members, to be told to another. */
  about(peers: Iterable<PeerId>): [PeerId, readonly string[]][] {
    return [...peers].flatMap((peer) => {
      const addresses = this.of(peer).slice(0, MAX_ADDRESSES)
      return addresses.length > 0 ? [[peer, addresses] as [PeerId, readonly string[]]] : []
    })
  }

  /** Takes the member's own word in place of all that was known. Returns whether that was new. */
  learn(peer: PeerId, addresses: readonly string[]): Promise<boolean> {
    return this.#keep(peer, { own: addresses, heard: [] })
  }

  /** Takes another member's word, before what was heard earlier. Returns whether that was new. */
  hear(peer: PeerId, addresses: readonly string[]): Promise<boolean> {
    const { own = [], heard = [] } = this.#known.get(peer) ?? {}
    const news = addresses.filter((address) => !own.includes(address))
    return this.#keep(peer, { own, heard: [...new Set([...news, ...heard])] })
  }

  async #keep(peer: PeerId, { own, heard }: Known): Promise<boolean> {
    const kept = { own: own.slice(0, MAX_ADDRESSES), heard: heard.slice(0, MAX_ADDRESSES) }
    const before = this.of(peer).join()
    const { own: oldOwn = [] } = this.#known.get(peer) ?? {}
    this.#known.set(peer, kept)
    if (before === this.of(peer).join() && oldOwn.join() === kept.own.join()) return false
    await this.#side.write([addressWrite(peer, kept)])
    return true
  }
}

/** What is known of a member, as the replica keeps it. */
export function addressWrite(peer: PeerId, { own, heard }: Known): SideWrite & { readonly value: Uint8Array } {
  return { namespace: ADDRESSES_NAMESPACE, key: peer, value: encode([own, heard]) }
}
