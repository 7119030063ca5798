import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

// The styles of Element Plus are files that node cannot read. No unit test is about them.
const noStyles = {
  name: 'onemap-no-styles',
  enforce: 'pre' as const,
  resolveId: (id: string) => (/^element-plus\/.*\/style\/css$/.test(id) ? '\0no-styles' : null),
  load: (id: string) => (id === '\0no-styles' ? '' : null),
}

export default defineConfig({
  plugins: [noStyles, vue()],
  resolve: {
    alias: [
      { find: '@', replacement: fileURLToPath(new URL('./src', import.meta.url)) },
      // In one file, as its parts import a CommonJS package in a way that node does not know.
      { find: /^element-plus$/, replacement: 'element-plus/dist/index.full.mjs' },
    ],
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
})
