import { readFileSync } from 'node:fs'

/** Names the time since this machine was started, or undefined where the system does not tell. Linux: random(4). */
export function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}
