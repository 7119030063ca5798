// A second node: `onemap serve` on the database of the demo.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Demo } from './demo'

const binary = fileURLToPath(new URL('../../../bin/onemap', import.meta.url))
const startMs = 150_000
const stopMs = 30_000
const stepMs = 200

const wait = (ms: number) => new Promise((wake) => setTimeout(wake, ms))

export interface Node {
  http: string
  stop(): Promise<void>
}

/** Starts a node and waits until it is ready. */
export async function startNode(demo: Demo): Promise<Node> {
  const args = ['serve', '--http', '127.0.0.1:0', '--mqtt', '127.0.0.1:0', '--no-migrate', '--node', 'second']
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ONEMAP_DATABASE: demo.database, ONEMAP_DEMO: undefined } })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-20_000)))
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((done) => child.once('exit', () => done()))
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), stopMs)
    await gone
    clearTimeout(late)
  }
  for (const end = Date.now() + startMs; ; await wait(stepMs)) {
    const http = /onemap serves (http:\/\/\S+?),/.exec(said)?.[1]
    const answer = http && (await fetch(`${http}/readyz`).catch(() => null))
    if (http && answer && answer.ok) return { http, stop }
    if (child.exitCode !== null || Date.now() > end) {
      await stop()
      throw new Error(`the second node did not get ready:\n${said}`)
    }
  }
}
