import type { ViteUserConfig } from 'vitest/config'

/** Where a run leaves its result as JSON, for a program that counts; absent where nobody asks. */
const report = process.env['TEST_REPORT']

/** What all suites have in common. */
export const shared: NonNullable<ViteUserConfig['test']> = {
  // Native modules, WASM and real worker threads, whose memory is looked at: processes, not threads.
  pool: 'forks',
  // The suites are written for a machine of two cores; more at once makes their deadlines lie.
  maxWorkers: 2,
  reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
}
