import { defineConfig } from '@playwright/test'

// Debian's Chromium, never a download, against a server that e2e/server.ts starts. WebGL is drawn by
// SwiftShader: the map must be there without a graphics card.
export default defineConfig({
  testDir: 'e2e',
  globalSetup: './e2e/server.ts',
  // A bound for what never comes, not a measure: a slow machine has all the time it needs.
  timeout: 300_000,
  expect: { timeout: 60_000 },
  workers: 1,
  fullyParallel: false,
  reporter: 'list',
  use: {
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
    contextOptions: { reducedMotion: 'reduce' },
    viewport: { width: 1366, height: 768 },
    trace: 'retain-on-failure',
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
