import { useTimeoutFn } from '@vueuse/core'
import { watch } from 'vue'
import { useAlerts } from '@/features/alerts/alerts'
import { useViewers } from '@/features/alerts/handling/viewers'
import { useSilences } from '@/features/alerts/silences/silences'
import { useDevices } from '@/features/devices/devices'
import { commonPosition, useLive } from '@/shared/live/live'

const retryMs = 5000

/**
 * Keeps the stores at what the live connection tells. Called once, before anything else listens to it: who looks at an
 * event finds the stores as it left them.
 */
export function feedStores(): void {
  const live = useLive()
  const alerts = useAlerts()
  const devices = useDevices()
  const silences = useSilences()
  const viewers = useViewers()
  const { start: retry } = useTimeoutFn(refetch, retryMs, { immediate: false })

  /** What could not be fetched was missed: the connection finds out whether it holds, and the devices are asked for until they come. */
  function fetched(work: Promise<unknown>) {
    work.catch(() => {
      live.check()
      retry()
    })
  }
  function refetch() {
    if (live.status === 'live') fetched(devices.refresh())
    else if (live.active) retry()
  }

  live.useSnapshot(async () => {
    const [d, a] = await Promise.all([devices.refresh(), alerts.refresh()])
    return commonPosition(d, a)
  })
  live.onEvent('alert.', (frame) => {
    const payload = alerts.takeEvent(frame)
    if (payload) devices.setLevel(payload.alert.device_id, payload.device_level)
  })
  live.onEvent('silence.changed', silences.takeEvent)
  live.onEvent('presence.changed', (frame) => fetched(devices.takePresence(frame)))
  live.onEvent('device.unevaluated', (frame) => fetched(devices.takeUnevaluated(frame)))
  live.onEvent('registry.changed', () => fetched(devices.refresh()))
  live.on('state', devices.takeState)
  live.on('viewers', viewers.take)
  live.on('welcome', (frame) => {
    // Beside the snapshots, not one of them: without silences everything rings, which is the safe side.
    if (!frame.recovered || !silences.loaded) void silences.refresh()
    if (frame.recovered) return
    alerts.doubt()
    devices.doubt()
  })
  watch(() => live.status, (status) => status !== 'live' && viewers.forget(), { flush: 'sync' })
}
