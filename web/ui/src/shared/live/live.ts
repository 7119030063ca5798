import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import type { Health } from '@/shared/api/types'
import { serverNow, setServerTime, useNow } from '@/shared/time/clock'
import { openSocket } from './socket'
import { LiveClient, type EndReason, type LiveStatus, nowhere, type Position } from './client'
import type { EventFrame, PageStatus, TilesFrame, WelcomeFrame } from './frames'
import { useAlerts } from '@/features/alerts/alerts'
import { useDevices } from '@/features/devices/devices'
import { useSession } from '@/shared/session/session'
import { useSilences } from '@/features/alerts/silences/silences'
import { useViewers } from '@/features/alerts/handling/viewers'

const bannerAfterMs = 4000 // a reconnection that takes no longer than this is no news

/** The two snapshots are one only when they are of one log; the older position is what both hold. */
export function commonPosition(a: Position, b: Position): Position {
  if (a.epoch !== b.epoch || (a.seq === b.seq && a.id !== b.id)) throw new Error('the snapshots are of different logs')
  return a.seq <= b.seq ? a : b
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

/** The page's one live connection: it feeds the stores, and knows whether they can be trusted. */
export const useLive = defineStore('live', () => {
  const devices = useDevices()
  const alerts = useAlerts()
  const session = useSession()
  const silences = useSilences()
  const viewers = useViewers()
  const now = useNow()
  /** A page has asked for live data. */
  const active = ref(false)
  const status = ref<LiveStatus>('connecting')
  const reason = ref<EndReason | ''>('')
  const health = shallowRef<Health | null>(null)
  const connected = shallowRef<Record<string, number>>({})
  /** Of the connected responders, those at whose machine an alarm sounds, by division. */
  const armed = shallowRef<Record<string, number>>({})
  let pageStatus: PageStatus | null = null
  const since = ref(serverNow())
  /** The name of this page's connection to the server; empty while there is none. */
  const name = ref('')
  const lastFrameAt = ref(0)
  const layerListeners = new Set<(frame: EventFrame) => void>()
  const presenceListeners = new Set<(frame: EventFrame) => void>()
  const alertListeners = new Set<(frame: EventFrame) => void>()
  const tileListeners = new Set<(frame: TilesFrame) => void>()
  const welcomeListeners = new Set<(frame: WelcomeFrame, had: Position) => void>()
  const refusedListeners = new Set<() => void>()
  let client: LiveClient | null = null

  async function snapshot(): Promise<Position> {
    const [d, a] = await Promise.all([devices.refresh(), alerts.refresh()])
    return commonPosition(d, a)
  }

  function event(frame: EventFrame) {
    if (frame.kind.startsWith('alert.')) {
      const payload = alerts.takeEvent(frame)
      if (payload) devices.setLevel(payload.alert.device_id, payload.device_level)
      alertListeners.forEach((f) => f(frame))
    } else if (frame.kind === 'silence.changed') {
      silences.takeEvent(frame)
    } else if (frame.kind === 'layer.changed') {
      layerListeners.forEach((f) => f(frame))
    } else if (frame.kind === 'presence.changed') {
      void devices.takePresence(frame).catch(() => client?.poke())
      presenceListeners.forEach((f) => f(frame))
    } else if (frame.kind === 'device.unevaluated') {
      void devices.takeUnevaluated(frame).catch(() => client?.poke())
    } else if (frame.kind === 'registry.changed') {
      void devices.refresh().catch(() => client?.poke())
    }
  }

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
        snapshot,
        event,
        state: devices.takeState,
        clients: (frame) => {
          connected.value = frame.divisions
          armed.value = frame.armed ?? {}
        },
        tiles: (frame) => tileListeners.forEach((f) => f(frame)),
        viewers: viewers.take,
        welcome: (frame, had) => {
          // Beside the snapshots, not one of them: without silences everything rings, which is the safe side.
          if (!frame.recovered || !silences.loaded) void silences.refresh()
          if (!frame.recovered) {
            alerts.doubt()
            devices.doubt()
          }
          welcomeListeners.forEach((f) => f(frame, had))
        },
        health: (next) => (health.value = next),
        time: setServerTime,
        status: (next, why) => {
          if (status.value === 'live' || next === 'live') since.value = serverNow()
          status.value = next
          if (next !== 'live') viewers.forget()
          reason.value = why ?? ''
          if (why === 'session') void session.load(true).catch(() => undefined)
        },
        refused: () => refusedListeners.forEach((f) => f()),
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

  function onLayerChanged(f: (frame: EventFrame) => void): () => void {
    layerListeners.add(f)
    return () => layerListeners.delete(f)
  }
  /** Tells which tiles changed while connected; after a welcome any may have. */
  function onTiles(f: (frame: TilesFrame) => void): () => void {
    tileListeners.add(f)
    return () => tileListeners.delete(f)
  }
  function onAlertEvent(f: (frame: EventFrame) => void): () => void {
    alertListeners.add(f)
    return () => alertListeners.delete(f)
  }

  function onPresence(f: (frame: EventFrame) => void): () => void {
    presenceListeners.add(f)
    return () => presenceListeners.delete(f)
  }
  function onWelcome(f: (frame: WelcomeFrame, had: Position) => void): () => void {
    welcomeListeners.add(f)
    return () => welcomeListeners.delete(f)
  }
  /** Tells that a connection could not be made; the browser does not say why. */
  function onRefused(f: () => void): () => void {
    refusedListeners.add(f)
    return () => refusedListeners.delete(f)
  }
  /** Connects at once, also after an end. */
  const revive = () => client?.revive()
  /** Where this page stands in the event log; no epoch before the first connection. */
  const position = (): Position => ({ ...(client?.position ?? nowhere) })

  return { active, name, status, reason, health, connected, armed, say, since, age, badParts, untrusted, start, stop, onLayerChanged, onTiles, onAlertEvent, onPresence, onWelcome, onRefused, revive, position }
})
