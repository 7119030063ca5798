// The WebSocket client as a state machine without a browser: sockets, clocks and timers come in from
// outside, so that every path is tested. Its promise: nothing is silently lost or stale. Whenever it
// is not certain that the page shows what the server knows, its status is something other than "live".

import type { ServerHealth } from '@/shared/api/types'
import { closeCode, parseFrame, type ClientsFrame, type EventFrame, type StateFrame, type PageStatus, type TilesFrame, type ViewersFrame, type WelcomeFrame } from './frames'

export type LiveStatus =
  | 'connecting' // the first connection of this page's life
  | 'syncing' // connected; what was missed, or a snapshot, is being fetched
  | 'live'
  | 'stale' // heartbeats stopped, or the connection is gone and being made again
  | 'ended' // it will not come back by itself: see reason

export type EndReason = 'session' | 'protocol'

/**
 * Where a client stands in the event log: it holds everything up to seq of epoch. id is of the newest event up to
 * there, '' when there is none: it proves to the server which past this is, also after the database was restored.
 */
export interface Position {
  epoch: string
  seq: number
  id: string
}

/** Nothing is held yet. */
export const nowhere: Position = { epoch: '', seq: 0, id: '' }

export interface Socket {
  send(text: string): void
  close(code?: number): void
  onopen: (() => void) | null
  onmessage: ((text: string) => void) | null
  onclose: ((code: number) => void) | null
}

export interface LivePorts {
  open(): Socket
  now(): number
  random(): number
  setTimer(f: () => void, ms: number): unknown
  clearTimer(id: unknown): void
}

export interface LiveHandlers {
  /** Fetches every snapshot anew and gives the position that all of them hold. */
  snapshot(): Promise<Position>
  event(frame: EventFrame): void
  state(frame: StateFrame): void
  clients?(frame: ClientsFrame): void
  /** Tiles changed. It is no part of the event log: what was missed is made good by the next welcome. */
  tiles?(frame: TilesFrame): void
  /** Who has which alert open: the whole state, sent when it changes and after a welcome. */
  viewers?(frame: ViewersFrame): void
  /** The server let us in. had is where this client stood: events of a replay are had.seq+1 to frame.head. */
  welcome?(frame: WelcomeFrame, had: Position): void
  health(health: ServerHealth): void
  time(iso: string): void
  status(status: LiveStatus, reason?: EndReason): void
  /** A connection could not be made: a good moment to ask over HTTP whether the session still lives. */
  refused?(): void
}

export interface LiveOptions {
  clientId: string
  heartbeatMs?: number
  welcomeMs?: number
  ackMs?: number
  jitterMs?: number
  sayMs?: number
}

const sameStatus = (a: PageStatus, b: PageStatus) =>
  a.sound === b.sound && a.visible === b.visible && a.alert === b.alert && a.acting === b.acting

const maxHeld = 10_000 // events held back while a snapshot is fetched; more than this and we start over

export class LiveClient {
  status: LiveStatus = 'connecting'
  position: Position = { ...nowhere }
  /** When the last frame came, by ports.now(); 0 before the first. */
  lastFrameAt = 0

  private socket: Socket | null = null
  private welcome: WelcomeFrame | null = null
  private held: EventFrame[] | null = null
  private generation = 0
  private acked = 0
  private resumed = false
  private said: PageStatus | null = null
  private saidOn = -1 // the generation that said was sent on
  private timers: { watch?: unknown; retry?: unknown; ack?: unknown; welcome?: unknown; say?: unknown } = {}
  private readonly heartbeatMs: number
  private readonly welcomeMs: number
  private readonly ackMs: number
  private readonly jitterMs: number
  private readonly sayMs: number

  constructor(
    private readonly ports: LivePorts,
    private readonly handlers: LiveHandlers,
    private readonly options: LiveOptions,
  ) {
    this.heartbeatMs = options.heartbeatMs ?? 10_000
    this.welcomeMs = options.welcomeMs ?? 10_000
    this.ackMs = options.ackMs ?? 200
    this.jitterMs = options.jitterMs ?? 5_000
    this.sayMs = options.sayMs ?? 500
  }

  /** Connects for the first time. from is what snapshots already fetched hold, if any were. */
  start(from?: Position): void {
    if (from) this.position = { ...from }
    this.connect()
  }

  /** Leaves for good: the page closes or the user logs out. */
  stop(): void {
    this.dropSocket(1000)
    this.clear('retry')
  }

  /** The network or the tab came back: do not wait for the timer. */
  poke(): void {
    if (this.status !== 'ended' && this.timers.retry !== undefined) this.connect()
  }

  /** Connects again after an end, from where it stood: somebody has logged in anew. */
  revive(): void {
    if (this.status === 'ended') this.become('stale')
    this.connect()
  }

  /** The network went away: the socket would only say so after its heartbeats are missed. */
  doubt(): void {
    if (this.socket && this.status !== 'ended') this.lost(0)
  }

  /** Tells the server what this page can do: now, or after the next welcome. Changes are sent at most every sayMs. */
  say(status: PageStatus): void {
    if (this.said && sameStatus(this.said, status)) return
    this.said = { ...status }
    this.saidOn = -1
    this.sayLater()
  }

  private sayLater(): void {
    if (!this.welcome || this.timers.say !== undefined || !this.said || this.saidOn === this.generation) return
    this.saidOn = this.generation
    this.send({ type: 'status', ...this.said })
    this.arm('say', this.sayMs, () => this.sayLater())
  }

  private connect(): void {
    this.clear('retry')
    this.dropSocket()
    const socket = this.ports.open()
    const mine = ++this.generation
    this.socket = socket
    this.resumed = false
    let open = false
    socket.onopen = () => {
      if (mine !== this.generation) return
      open = true
      const { epoch, seq, id } = this.position
      this.send({ type: 'hello', client: this.options.clientId, epoch, last_seq: seq, last_id: id })
    }
    socket.onmessage = (text) => {
      if (mine === this.generation) this.receive(text)
    }
    socket.onclose = (code) => {
      if (mine === this.generation) this.closed(code)
    }
    this.arm('welcome', this.welcomeMs, () => {
      if (!open) this.handlers.refused?.() // a proxy that does not know WebSockets may keep the request for ever
      this.lost(0)
    })
  }

  private receive(text: string): void {
    const frame = parseFrame(text)
    this.lastFrameAt = this.ports.now()
    if (!frame) return
    switch (frame.type) {
      case 'welcome':
        return this.welcomed(frame)
      case 'event':
        return this.took(frame)
      case 'state':
        return this.handlers.state(frame)
      case 'clients':
        return this.handlers.clients?.(frame)
      case 'tiles':
        return this.handlers.tiles?.(frame)
      case 'viewers':
        return this.handlers.viewers?.(frame)
      case 'hb':
        this.watch()
        this.handlers.time(frame.time)
        this.handlers.health(frame.health)
    }
  }

  private welcomed(frame: WelcomeFrame): void {
    this.clear('welcome')
    this.welcome = frame
    this.handlers.time(frame.time)
    this.handlers.welcome?.(frame, { ...this.position })
    this.watch()
    this.sayLater()
    if (frame.recovered && frame.epoch === this.position.epoch) {
      this.acked = this.position.seq
      this.become('live')
      return
    }
    void this.resync(frame)
  }

  // Events that come while the snapshot is on its way wait, then those that it does not hold follow.
  private async resync(frame: WelcomeFrame): Promise<void> {
    this.held = []
    this.become('syncing')
    const mine = this.generation
    let position: Position
    try {
      position = await this.handlers.snapshot()
    } catch {
      if (mine === this.generation) this.lost(0)
      return
    }
    if (mine !== this.generation) return
    const held = this.held ?? []
    this.held = null
    const grown = position.epoch === frame.epoch
    this.position = position
    this.acked = 0
    // A snapshot older than the welcome's head leaves a hole that only a replay fills; one of another
    // epoch means that the log was replaced in between.
    if (!grown || position.seq < frame.head) {
      this.lost(0)
      return
    }
    this.become('live')
    this.ackLater()
    for (const event of held) this.took(event)
  }

  private took(frame: EventFrame): void {
    if (this.held) {
      this.held.push(frame)
      if (this.held.length > maxHeld) this.lost(0)
      return
    }
    if (frame.seq <= this.position.seq) return // had it
    this.handlers.event(frame)
    this.position = { epoch: this.position.epoch, seq: frame.seq, id: frame.id }
    this.ackLater()
  }

  private ackLater(): void {
    if (this.timers.ack !== undefined) return
    this.timers.ack = this.ports.setTimer(() => {
      this.timers.ack = undefined
      if (this.welcome && this.position.seq > this.acked) {
        this.acked = this.position.seq
        this.send({ type: 'ack', seq: this.acked })
      }
    }, this.ackMs)
  }

  private send(frame: object): void {
    try {
      this.socket?.send(JSON.stringify(frame))
    } catch {
      // A socket that cannot send closes, and its close is handled.
    }
  }

  // Two heartbeats missed, with a fifth of one for the road.
  private watch(): void {
    this.arm('watch', this.heartbeatMs * 2.2, () => this.lost(0))
  }

  private closed(code: number): void {
    if (code === closeCode.sessionEnded) return this.end('session')
    if (code === closeCode.badFrame) return this.end('protocol')
    if (!this.welcome && code !== closeCode.goingAway) this.handlers.refused?.()
    // A slow consumer resumes at once, but only once in a row: a server that says it forever must
    // not be hammered.
    const atOnce = code === closeCode.resume || code === closeCode.scopeChanged
    if (code === closeCode.scopeChanged) this.position = { ...nowhere } // see it with other eyes: all of it anew
    this.lost(atOnce && this.welcome && !this.resumed ? -1 : 0)
  }

  private lost(delay: -1 | 0): void {
    this.dropSocket()
    if (this.status !== 'connecting') this.become('stale')
    const wait = delay === -1 ? 0 : 250 + this.ports.random() * this.jitterMs
    this.clear('retry')
    this.timers.retry = this.ports.setTimer(() => {
      this.timers.retry = undefined
      this.connect()
      this.resumed = delay === -1
    }, wait)
  }

  private end(reason: EndReason): void {
    this.dropSocket()
    this.become('ended', reason)
  }

  private dropSocket(code?: number): void {
    this.generation++
    const socket = this.socket
    this.socket = null
    this.welcome = null
    this.held = null
    this.clear('watch')
    this.clear('ack')
    this.clear('welcome')
    this.clear('say')
    if (!socket) return
    socket.onopen = socket.onmessage = socket.onclose = null
    try {
      socket.close(code)
    } catch {
      // It was never open.
    }
  }

  private become(status: LiveStatus, reason?: EndReason): void {
    if (this.status === status) return
    this.status = status
    this.handlers.status(status, reason)
  }

  private arm(name: keyof LiveClient['timers'], ms: number, f: () => void): void {
    this.clear(name)
    this.timers[name] = this.ports.setTimer(() => {
      this.timers[name] = undefined
      f()
    }, ms)
  }

  private clear(name: keyof LiveClient['timers']): void {
    if (this.timers[name] !== undefined) this.ports.clearTimer(this.timers[name])
    this.timers[name] = undefined
  }
}
