import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import type { ServerHealth } from '@/shared/api/types'
import { serverNow, setServerTime, useNow } from '@/shared/time/clock'
import { openSocket } from './socket'
import { LiveClient, type EndReason, type LiveStatus, nowhere, type Position } from './client'
import { emitter } from './emitter'
import type { EventFrame, PageStatus, StateFrame, TilesFrame, ViewersFrame, WelcomeFrame } from './frames'
import { useSession } from '@/shared/session/session'

const bannerAfterMs = 4000 // a reconnection that takes no longer than this is no news

/** The two snapshots are one only when they are of one log; the older position is what both hold. */
export function commonPosition(a: Position, b: Position): Position {
  if (a.epoch !== b.epoch || (a.seq === b.seq && a.id !== b.id)) throw new Error('the snapshots are of different logs')
  return a.seq <= b.seq ? a : b
}

/** What the connection tells. A listener that changes what is shown registers before those that only look. */
export interface LiveEvents {
  /** An event of the log, also one that was missed and is replayed. */
  event: [frame: EventFrame]
  state: [frame: StateFrame]
  /** Tiles changed while connected; after a welcome any may have. */
  tiles: [frame: TilesFrame]
  viewers: [frame: ViewersFrame]
  welcome: [frame: WelcomeFrame, had: Position]
  /** A connection could not be made; the browser does not say why. */
  refused: []
}

/** How a page's connection begins. Without options it is a new client of this tab that has missed nothing. */
export interface LiveStart {
  clientId?: string
  /** Where an earlier life of this client stood: what came since is replayed as events. */
  from?: Position
}

/** The position to begin from: the earlier life's, when it is of the same log and not ahead of it. */
export function resumeFrom(earlier: Position | undefined, snapshot: Position): Position {
  return earlier && earlier.epoch === snapshot.epoch && earlier.seq < snapshot.seq ? earlier : snapshot
}

const snapshotRetryMs = 3000

function clientId(): string {
  const key = 'onemap.client'
  const kept = sessionStorage.getItem(key)
  if (kept) return kept
  const made = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('')
  sessionStorage.setItem(key, made)
  return made
}

/** The page's one live connection: it tells what the server sends, and knows whether what is shown can be trusted. */
export const useLive = defineStore('live', () => {
  const session = useSession()
  const now = useNow()
  /** A page has asked for live data. */
  const active = ref(false)
  const status = ref<LiveStatus>('connecting')
  const reason = ref<EndReason | ''>('')
  const health = shallowRef<ServerHealth | null>(null)
  const connected = shallowRef<Record<string, number>>({})
  /** Of the connected responders, those at whose machine an alarm sounds, by division. */
  const armed = shallowRef<Record<string, number>>({})
  let pageStatus: PageStatus | null = null
  const since = ref(serverNow())
  /** The name of this page's connection to the server; empty while there is none. */
  const name = ref('')
  const lastFrameAt = ref(0)
  const { on, emit } = emitter<LiveEvents>()
  /** Fetches all that this page shows anew. The page's shell says how. */
  let snapshot: () => Promise<Position> = () => Promise.reject(new Error('no snapshot'))
  let client: LiveClient | null = null

  function make(id: string): LiveClient {
    return new LiveClient(
      {
        open: () => openSocket(() => (lastFrameAt.value = serverNow())),
        now: serverNow,
        random: Math.random,
        setTimer: (f, ms) => setTimeout(f, ms),
        clearTimer: (id) => clearTimeout(id as ReturnType<typeof setTimeout>),
      },
      {
        snapshot: () => snapshot(),
        event: (frame) => emit('event', frame),
        state: (frame) => emit('state', frame),
        clients: (frame) => {
          connected.value = frame.divisions
          armed.value = frame.armed ?? {}
        },
        tiles: (frame) => emit('tiles', frame),
        viewers: (frame) => emit('viewers', frame),
        welcome: (frame, had) => emit('welcome', frame, had),
        health: (next) => (health.value = next),
        time: setServerTime,
        status: (next, why) => {
          if (status.value === 'live' || next === 'live') since.value = serverNow()
          status.value = next
          reason.value = why ?? ''
          if (why === 'session') void session.load(true).catch(() => undefined)
        },
        refused: () => emit('refused'),
      },
      { clientId: id },
    )
  }

  const doubt = () => client?.doubt()
  const poke = () => document.visibilityState === 'visible' && client?.poke()

  /** Fetches the snapshots and connects. Called once by a page that shows live data. */
  async function start(options: LiveStart = {}): Promise<void> {
    if (client) return
    active.value = true
    since.value = serverNow()
    name.value = options.clientId ?? clientId()
    const mine = (client = make(name.value))
    if (pageStatus) mine.say(pageStatus)
    window.addEventListener('online', poke)
    window.addEventListener('offline', doubt)
    document.addEventListener('visibilitychange', poke)
    let from: Position | undefined
    while (!from && client === mine) {
      try {
        from = resumeFrom(options.from, await snapshot())
      } catch {
        // Without an earlier position the connection is made all the same, and asks for the snapshots
        // again. With one, a connection before the snapshot would pass over what was missed.
        if (!options.from) break
        await new Promise((wake) => setTimeout(wake, snapshotRetryMs))
      }
    }
    if (client === mine) mine.start(from)
  }

  function stop() {
    client?.stop()
    client = null
    name.value = ''
    active.value = false
    status.value = 'connecting'
    reason.value = ''
    health.value = null
    connected.value = {}
    armed.value = {}
    lastFrameAt.value = 0
    window.removeEventListener('online', poke)
    window.removeEventListener('offline', doubt)
    document.removeEventListener('visibilitychange', poke)
  }

  /** Says to the server what this page can do, now and to every later connection. */
  function say(next: PageStatus) {
    pageStatus = next
    client?.say(next)
  }

  /** Parts that the server says are down. */
  const badParts = computed(() => (health.value?.parts ?? []).filter((p) => !p.ok))
  /** What is shown may not be what is: say so in red. */
  const untrusted = computed(() => status.value !== 'live' && (status.value === 'ended' || now.value - since.value > bannerAfterMs))
  const age = computed(() => (lastFrameAt.value ? Math.max(0, Math.round((now.value - lastFrameAt.value) / 1000)) : null))

  /** Calls f for events of a kind, as 'layer.changed', or of all kinds that begin with one, as 'alert.'. */
  function onEvent(kind: string, f: (frame: EventFrame) => void): () => void {
    return on('event', (frame) => (kind.endsWith('.') ? frame.kind.startsWith(kind) : frame.kind === kind) && f(frame))
  }
  const useSnapshot = (fetch: () => Promise<Position>) => void (snapshot = fetch)
  /** Looks at once whether the connection still holds: something was missed. */
  const check = () => client?.poke()
  /** Connects at once, also after an end. */
  const revive = () => client?.revive()
  /** Where this page stands in the event log; no epoch before the first connection. */
  const position = (): Position => ({ ...(client?.position ?? nowhere) })

  return { active, name, status, reason, health, connected, armed, say, since, age, badParts, untrusted, start, stop, on, onEvent, useSnapshot, check, revive, position }
})
