// Debian's nginx before a server, with a file of docs/proxy.

import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const files = fileURLToPath(new URL('../../../docs/proxy/', import.meta.url))
const startMs = 60_000
const wait = (ms: number) => new Promise((wake) => setTimeout(wake, ms))

export interface Nginx {
  /** host:port of plain HTTP and of HTTPS. */
  plain: string
  secure: string
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

const answers = (port: number) =>
  new Promise<boolean>((done) => {
    const socket = connect(port, '127.0.0.1', () => done(socket.destroy() !== null))
    socket.on('error', () => done(false))
  })

/** The configuration with each text replaced; one that is not there is an error. */
function changed(file: string, pairs: [string, string][]): string {
  let text = readFileSync(join(files, file), 'utf8')
  for (const [from, to] of pairs) {
    if (!text.includes(from)) throw new Error(`docs/proxy/${file} has no "${from}"`)
    text = text.replaceAll(from, to)
  }
  return text
}

/** Gives an nginx before the server at upstream, host:port, for as long as use runs. changes are texts of the file and what stands instead. */
export async function withNginx(file: string, upstream: string, changes: [string, string][], use: (nginx: Nginx) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'onemap-nginx-'))
  const [plain, secure] = [await freePort(), await freePort()]
  const [cert, key] = [join(dir, 'city.crt'), join(dir, 'city.key')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=city.example', '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const site = changed(file, [
    ['http://127.0.0.1:8080', `http://${upstream}`],
    ['listen 80;', `listen 127.0.0.1:${plain};`],
    ['listen 443 ssl;', `listen 127.0.0.1:${secure} ssl;`],
    ['/etc/nginx/certs/city.example.crt', cert],
    ['/etc/nginx/certs/city.example.key', key],
    ...changes,
  ])
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${join(dir, kind)};`).join('\n')
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const config = join(dir, 'nginx.conf')
  writeFileSync(config, `${user}\ndaemon off;\nworker_processes 1;\npid ${join(dir, 'pid')};\nevents {}\nhttp {\naccess_log off;\n${paths}\n${site}}\n`)
  const child = spawn('/usr/sbin/nginx', ['-p', dir, '-e', join(dir, 'error.log'), '-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const gone = new Promise<void>((done) => {
    child.once('exit', () => done())
    child.once('error', (error) => ((said += String(error)), done()))
  })
  try {
    for (const end = Date.now() + startMs; !((await answers(plain)) && (await answers(secure))); await wait(50)) {
      if (child.exitCode !== null || child.pid === undefined || Date.now() > end) throw new Error(`nginx does not answer (scripts/deps.sh test): ${said}`)
    }
    await use({ plain: `127.0.0.1:${plain}`, secure: `127.0.0.1:${secure}` })
  } finally {
    child.kill('SIGTERM')
    await gone
    rmSync(dir, { recursive: true, force: true })
  }
}
