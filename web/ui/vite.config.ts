import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import ts from 'typescript'
import { defineConfig, type Plugin } from 'vite'
import { withMedia } from './src/shared/theme/breakpoints'

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

// Puts the conditions of the breakpoints into the styles.
function breakpoints(): Plugin {
  return {
    name: 'onemap-breakpoints',
    enforce: 'pre',
    transform(code, id) {
      return /\.css($|\?)|\blang\.css/.test(id) && code.includes('(--') ? withMedia(code) : null
    },
  }
}

// Names the build in index.html, and writes the service worker with the files that it keeps: scripts and styles, not the
// hundred parts of the font, which it keeps as they are used.
function shell(): Plugin {
  const source = fileURLToPath(new URL('./src/app/sw.ts', import.meta.url))
  return {
    name: 'onemap-shell',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const names = Object.keys(bundle).filter((name) => name !== 'index.html').sort()
      const worker = ts.transpileModule(readFileSync(source, 'utf8'), { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.None } }).outputText
      const build = createHash('sha256').update(JSON.stringify(names)).update(worker).digest('hex').slice(0, 16)
      const page = bundle['index.html']
      if (page?.type !== 'asset') throw new Error('the build has no index.html')
      page.source = String(page.source).replace('<head>', `<head>\n    <meta name="onemap-build" content="${build}" />`)
      const files = ['icon.svg', ...names.filter((name) => /\.(js|css)$/.test(name))]
      this.emitFile({ type: 'asset', fileName: 'sw.js', source: worker.replace('__BUILD__', build).replace('__FILES__', JSON.stringify(files)) })
    },
  }
}

export default defineConfig({
  base: './', // the server puts its base path in: web/api/base.go
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  plugins: [emptyDistButGitkeep(), dropWoff(), breakpoints(), vue(), shell()],
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
