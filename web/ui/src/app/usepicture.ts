// Keeps the picture of a live page, and shows the last one, grey and with its age, until there is a live one.

import { onBeforeUnmount, watch } from 'vue'
import { serverNow, useNow } from '@/shared/time/clock'
import { exactTime, relativeTime } from '@/shared/format/format'
import { useAlerts } from '@/features/alerts/alerts'
import { useDevices } from '@/features/devices/devices'
import { useLive } from '@/shared/live/live'
import { useSession } from '@/shared/session/session'
import { keepPicture, type Picture } from '@/shared/session/picture'
import { useWatch } from '@/shared/watch/watch'

const keepEveryMs = 30_000

/** Called once, by the watchdog. */
export function usePicture(): void {
  const session = useSession()
  const live = useLive()
  const alerts = useAlerts()
  const devices = useDevices()
  const state = useWatch()
  const now = useNow()
  let kept = 0

  function keep() {
    if (live.status !== 'live' || !session.me || session.ended || session.restored || now.value - kept < keepEveryMs) return
    kept = now.value
    const picture = { at: serverNow(), me: session.me, alerts: [...alerts.all.values()], devices: [...devices.all.values()] }
    keepPicture(picture).catch((error: unknown) => console.warn('the picture is not kept', error)) // no room: the page works without
  }

  function show({ alerts: items, devices: all }: Picture) {
    // No log has this epoch: what comes from the server takes its place whole.
    if (!alerts.loaded) alerts.takeSnapshot({ epoch: '', seq: 0, items } as unknown as Parameters<typeof alerts.takeSnapshot>[0])
    if (!devices.loaded) devices.takeSnapshot({ epoch: '', seq: 0, items: all } as unknown as Parameters<typeof devices.takeSnapshot>[0])
  }

  const stops = [
    watch(now, keep),
    watch(() => live.status, keep),
    watch(() => session.restored, (picture) => picture && show(picture), { immediate: true }),
    watch([() => session.restored, now, () => live.status], () => {
      const picture = live.status === 'live' ? null : session.restored
      document.documentElement.classList.toggle('om-old-picture', picture !== null)
      state.report('picture', picture && { key: 'watch.picture', severity: 'broken', params: { time: exactTime(picture.at).slice(5, 16), age: relativeTime(picture.at, now.value) } })
    }, { immediate: true }),
  ]
  onBeforeUnmount(() => stops.forEach((stop) => stop()))
}
