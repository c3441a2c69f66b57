import { isIPv6 } from 'node:net'
import type { Config } from './config/index.ts'

/** Multiaddrs to listen on. */
export function listenAddresses({ host, port }: Config['p2p']): string[] {
  return host.map((address) => `/${isIPv6(address) ? 'ip6' : 'ip4'}/${address}/tcp/${port}`)
}

/** What the config announces, as multiaddrs: `host:port` is taken as a name or an IP address. */
export function announcedAddresses({ announce }: Config['p2p']): string[] {
  return announce.map((text) => {
    if (text.startsWith('/')) return text
    const end = text.lastIndexOf(':')
    const host = text.slice(0, end).replace(/^\[|\]$/g, '')
    const kind = isIPv6(host) ? 'ip6' : /^\d+(\.\d+){3}$/.test(host) ? 'ip4' : 'dns'
    return `/${kind}/${host}/tcp/${text.slice(end + 1)}`
  })
}
