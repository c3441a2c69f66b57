/**
 * The acceptance suite of the transport contract. Every implementation runs it on the real thing:
 * `testTransport({ capabilities, setup, teardown })` in a test file beside it.
 */

import { describe } from 'vitest'
import { testChannels } from './suite/channels-suite.ts'
import { testConnections } from './suite/connections-suite.ts'
import { testGate } from './suite/gate-suite.ts'
import type { TransportHarness } from './suite/harness-suite.ts'

export type { TransportBed, TransportHarness } from './suite/harness-suite.ts'

/** Declares the tests of the contract for one implementation. */
export function testTransport(harness: TransportHarness): void {
  describe('transport contract', () => {
    describe('connections', () => testConnections(harness))
    describe('channels', () => testChannels(harness))
    describe('gate', () => testGate(harness))
  })
}
