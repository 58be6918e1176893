import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: {
    // The build for browsers: the one that Node.js would choose brings an XML parser that is not installed.
    alias: { 'strophe.js': fileURLToPath(import.meta.resolve('strophe.js').replace('.node.', '.')) },
  },
  test: {
    environment: 'node',
    // The slowest takes two seconds alone; a busy machine needs more than the default five for it.
    testTimeout: 10_000,
    include: ['src/**/*.test.ts', 'src/**/*.test.tsx'],
  },
});
