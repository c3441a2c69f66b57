import { defineConfig } from 'vitest/config'
import { LONG } from './test/support/long.ts'
import { shared } from './test/vitest-shared.ts'

/** They look at how much their process grows: memory that files before them have left free would hide it. */
const ALONE = ['crdt/replica/bombs.test.ts']

const exclude = [
  '**/node_modules/**',
  '**/dist/**',
  '.cache/**',
  'test/openclaw/**',
  'test/package/**',
  'test/layers/fixtures/**',
  ...(LONG ? [] : ['**/*.long.test.ts']),
]

/** `npm test`, and with `LONG=1` the same at full size (`npm run test:long`). */
export default defineConfig({
  test: {
    ...shared,
    testTimeout: LONG ? 30 * 60_000 : 20_000,
    hookTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: ['**/*.test.ts'],
          exclude: [...exclude, ...ALONE],
          // To load WASM, Fastify and libp2p for each file anew would take a fifth of the whole. No module keeps state.
          isolate: false,
        },
      },
      { extends: true, test: { name: 'alone', include: ALONE, exclude } },
    ],
  },
})
