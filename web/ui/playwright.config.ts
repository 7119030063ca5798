import { defineConfig } from '@playwright/test'

// Debian's Chromium, never a download, against servers that e2e/own.ts starts. WebGL is drawn by
// SwiftShader: the map must be there without a graphics card.
export default defineConfig({
  testDir: 'e2e',
  // A bound for what never comes, not a measure: a slow machine has all the time it needs.
  timeout: 600_000,
  expect: { timeout: 120_000 },
  workers: 3, // each has a server of its own; a test waits more than it works, so two cores do for three
  fullyParallel: false,
  reporter: 'list',
  use: {
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
    contextOptions: { reducedMotion: 'reduce' },
    viewport: { width: 1366, height: 768 },
    screenshot: 'only-on-failure', // a trace is asked for by --trace on: it makes every test half as long again
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--enable-unsafe-swiftshader',
        '--ignore-gpu-blocklist',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--disable-quic',
      ],
    },
  },
})
