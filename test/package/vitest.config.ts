import { defineConfig } from 'vitest/config'
import { shared } from '../vitest-shared.ts'

/** `npm run test:package`: what is published, packed and installed as a user does it. */
export default defineConfig({
  test: {
    ...shared,
    include: ['test/package/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 5 * 60_000,
  },
})
