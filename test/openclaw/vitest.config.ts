import { defineConfig } from 'vitest/config'
import { shared } from '../vitest-shared.ts'

/** `npm run test:openclaw`: against the real gateway, one after another, for each gateway takes a gigabyte. */
export default defineConfig({
  test: {
    ...shared,
    include: ['test/openclaw/**/*.test.ts'],
    globalSetup: ['test/openclaw/install.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 3 * 60_000,
  },
})
