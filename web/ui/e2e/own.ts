// A server of a worker's or a test's own: the built program's demo without its simulator, in a data folder that is
// deleted at the end. It may be stopped, started again and given options.

import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readDemo, type Demo } from './demo'

const project = fileURLToPath(new URL('../../..', import.meta.url)) // where a copy of the program finds the base data
const binary = join(project, 'bin/onemap')
const startMs = 150_000
const stopMs = 30_000
const stepMs = 200

const wait = (ms: number) => new Promise((wake) => setTimeout(wake, ms))

export class OwnServer {
  private child: ChildProcess | null = null
  private readonly root = mkdtempSync(join(tmpdir(), 'onemap-own-'))
  private readonly dir = join(this.root, 'data')
  private http = '127.0.0.1:0'
  private mqtt = '127.0.0.1:0'

  constructor(private readonly options: string[] = []) {
    chmodSync(this.root, 0o755) // the database runs as another user when we are root
  }

  /** Starts the server, at the addresses that it had before, and waits until it is ready. */
  async start(program = binary): Promise<Demo> {
    if (!existsSync(binary)) throw new Error(`${binary} is missing: run make build first`)
    const args = ['demo', '--simulate=false', '--http', this.http, '--mqtt', this.mqtt, '--data', this.dir, ...this.options]
    const child = spawn(program, args, { cwd: project, stdio: 'ignore', env: { ...process.env, ONEMAP_DEMO: undefined } }) // that is the tests' own variable
    this.child = child
    for (const end = Date.now() + startMs; ; await wait(stepMs)) {
      const file = join(this.dir, 'demo.json')
      const demo = existsSync(file) ? readDemo(file) : null
      const answer = demo && (await fetch(`${demo.http}/readyz`).catch(() => null))
      if (demo && answer?.ok) {
        this.http = demo.http.replace('http://', '')
        this.mqtt = demo.mqtt
        return demo
      }
      if (child.exitCode !== null || Date.now() > end) throw new Error(`the server did not get ready (exit ${child.exitCode})`)
    }
  }

  /** Starts the same program with pages of another build, as after an upgrade. */
  async startUpgraded(): Promise<Demo> {
    const program = readFileSync(binary)
    const build = /name="onemap-build" content="([0-9a-f]{16})"/.exec(program.toString('latin1'))?.[1]
    if (!build) throw new Error(`${binary} does not name its build`)
    const [from, to] = [Buffer.from(build), Buffer.from([...build].reverse().join(''))]
    if (from.equals(to)) throw new Error(`the build ${build} reads the same from behind`)
    for (let at = program.indexOf(from); at >= 0; at = program.indexOf(from, at + 1)) to.copy(program, at)
    const upgraded = join(this.root, 'onemap')
    writeFileSync(upgraded, program, { mode: 0o755 })
    return this.start(upgraded)
  }

  async stop(): Promise<void> {
    const child = this.child
    this.child = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((done) => child.once('exit', () => done()))
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), stopMs)
    await gone
    clearTimeout(late)
  }

  /** Stops the server and deletes what it kept. */
  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** Gives a server for as long as use runs. */
export async function withServer(options: string[], use: (demo: Demo) => Promise<void>): Promise<void> {
  const server = new OwnServer(options)
  try {
    await use(await server.start())
  } finally {
    await server.remove()
  }
}
