// A browser and the server of its live connection for unit tests, in the place of the globals that node does not have.

import { vi } from 'vitest'
import { anEvent, at } from './fixtures'
import { aStorage } from './server'

/** The events of a page, and whether it is seen and on line. */
export class Browser {
  readonly window = new EventTarget()
  readonly document = Object.assign(new EventTarget(), { visibilityState: 'visible', documentElement: { lang: '' }, activeElement: null as unknown, hasFocus: () => true })
  readonly navigator: { onLine: boolean; [name: string]: unknown } = { onLine: true }
  readonly reload = vi.fn()

  constructor() {
    vi.stubGlobal('window', this.window)
    vi.stubGlobal('document', this.document)
    vi.stubGlobal('navigator', this.navigator)
    vi.stubGlobal('location', { protocol: 'https:', host: 'map.example', origin: 'https://map.example', reload: this.reload })
    vi.stubGlobal('localStorage', aStorage())
    vi.stubGlobal('sessionStorage', aStorage())
  }
  see(visible: boolean) {
    this.document.visibilityState = visible ? 'visible' : 'hidden'
    this.document.dispatchEvent(new Event('visibilitychange'))
  }
  network(onLine: boolean) {
    this.navigator.onLine = onLine
    this.window.dispatchEvent(new Event(onLine ? 'online' : 'offline'))
  }
}

class FakeWebSocket {
  readonly sent: Record<string, unknown>[] = []
  closed = false
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {}
  send(text: string) {
    this.sent.push(JSON.parse(text) as Record<string, unknown>)
  }
  close() {
    this.closed = true
  }
}

/** The server's side of the push protocol: what the page sends can be read, and the test sends what it likes. */
export class PushServer {
  readonly sockets: FakeWebSocket[] = []

  constructor() {
    const { sockets } = this
    vi.stubGlobal('WebSocket', class extends FakeWebSocket {
      constructor(url: string, protocol: string) {
        super(url, protocol)
        sockets.push(this)
      }
    })
  }
  /** The newest connection. */
  get socket(): FakeWebSocket {
    return this.sockets.at(-1)!
  }
  /** What the page sent on it, of one type. */
  sent = (type: string) => this.socket.sent.filter((frame) => frame.type === type)
  send(frame: object) {
    this.socket.onmessage?.({ data: JSON.stringify(frame) })
  }
  welcome(head: number, recovered: boolean, over: object = {}) {
    this.socket.onopen?.()
    this.send({ type: 'welcome', epoch: 'e', head, head_id: `e${head}`, recovered, state: false, time: new Date().toISOString(), ...over })
  }
  event(seq: number, kind: string, payload: unknown, over: object = {}) {
    this.send(anEvent(seq, kind, payload, over))
  }
  beat(over: object = {}) {
    this.send({ type: 'hb', head: 1, head_id: 'e1', time: new Date().toISOString(), health: { ok: true, parts: [], at: at(0) }, ...over })
  }
  close(code: number) {
    this.socket.onclose?.({ code })
  }
}
