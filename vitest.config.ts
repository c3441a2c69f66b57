import { defineConfig } from 'vitest/config'
import { LONG } from './test/support/long.ts'
import { shared } from './test/vitest-shared.ts'

/** `npm test`, and with `LONG=1` the same at full size (`npm run test:long`). */
export default defineConfig({
  test: {
    ...shared,
    // To load WASM, Fastify and libp2p for each file anew would take a fifth of the whole. No module keeps state.
    isolate: false,
    include: ['**/*.test.ts'],
    exclude: [
      '**/node_modules/**',
      '**/dist/**',
      '.cache/**',
      'test/openclaw/**',
      'test/package/**',
      'test/layers/fixtures/**',
      ...(LONG ? [] : ['**/*.long.test.ts']),
    ],
    testTimeout: LONG ? 30 * 60_000 : 20_000,
    hookTimeout: 20_000,
  },
})
