// One real server for all browser tests: the built program's demo without its simulator, in a data
// folder of its own that is wiped at the end. With ONEMAP_DEMO set a server that runs already is used.

import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const binary = fileURLToPath(new URL('../../../bin/onemap', import.meta.url))
const startMs = 150_000
const stopMs = 30_000
const stepMs = 200

const wait = (ms: number) => new Promise((wake) => setTimeout(wake, ms))

function tail(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(-40).join('\n') : ''
}

async function ready(child: ChildProcess, dir: string, log: string): Promise<void> {
  const file = join(dir, 'demo.json')
  for (const end = Date.now() + startMs; ; await wait(stepMs)) {
    if (child.exitCode !== null) throw new Error(`onemap demo ended with ${child.exitCode}:\n${tail(log)}`)
    if (existsSync(file)) {
      const demo = JSON.parse(readFileSync(file, 'utf8')) as { http: string }
      const answer = await fetch(`${demo.http}/readyz`).catch(() => null)
      if (answer?.ok) return
    }
    if (Date.now() > end) throw new Error(`onemap demo was not ready after ${startMs / 1000} s:\n${tail(log)}`)
  }
}

async function stop(child: ChildProcess, dir: string): Promise<void> {
  if (child.exitCode === null) {
    const gone = new Promise<void>((done) => child.once('exit', () => done()))
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), stopMs)
    await gone
    clearTimeout(late)
  }
  rmSync(dir, { recursive: true, force: true })
}

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.ONEMAP_DEMO) return undefined
  if (!existsSync(binary)) throw new Error(`${binary} is missing: run make build first`)
  const root = mkdtempSync(join(tmpdir(), 'onemap-e2e-'))
  chmodSync(root, 0o755) // the database runs as another user when we are root
  const dir = join(root, 'data')
  const log = join(root, 'log')
  const out = openSync(log, 'a')
  const args = ['demo', '--simulate=false', '--http', '127.0.0.1:0', '--mqtt', '127.0.0.1:0', '--data', dir]
  const child = spawn(binary, args, { stdio: ['ignore', out, out] })
  try {
    await ready(child, dir, log)
  } catch (error) {
    await stop(child, root)
    throw error
  }
  process.env.ONEMAP_DEMO = join(dir, 'demo.json')
  return () => stop(child, root)
}
