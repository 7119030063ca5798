import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vite'

const backend = process.env.ONEMAP_BACKEND ?? 'http://127.0.0.1:8080'
const dist = fileURLToPath(new URL('./dist', import.meta.url))

// The Go program embeds dist, and must compile before the first build: dist/.gitkeep stays.
function emptyDistButGitkeep(): Plugin {
  return {
    name: 'onemap-empty-dist',
    apply: 'build',
    buildStart() {
      let names: string[]
      try {
        names = readdirSync(dist)
      } catch {
        return // there is no dist yet
      }
      for (const name of names) {
        if (name !== '.gitkeep') rmSync(join(dist, name), { recursive: true, force: true })
      }
    },
  }
}

// Every browser that can run this page reads woff2; the woff twins would double the binary.
function dropWoff(): Plugin {
  return {
    name: 'onemap-drop-woff',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('@fontsource') || !/\.css($|\?)/.test(id)) return null
      return code.replace(/,\s*url\([^)]*\.woff\)\s*format\('woff'\)/g, '')
    },
  }
}

export default defineConfig({
  plugins: [emptyDistButGitkeep(), dropWoff(), vue()],
  build: {
    target: 'es2022',
    emptyOutDir: false,
    assetsInlineLimit: 0, // data: fonts would break font-src 'self'
    chunkSizeWarningLimit: 2000 /* MapLibre and ECharts come with the map, not with the login */,
  },
  worker: { format: 'es' },
  server: {
    port: 5173,
    proxy: {
      '/api': backend,
      '/tiles': backend,
      '/cap': backend,
      '/ws': { target: backend.replace(/^http/, 'ws'), ws: true },
    },
  },
})
