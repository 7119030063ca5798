import { useIntervalFn } from '@vueuse/core'
import { onBeforeUnmount, watch } from 'vue'
import { useAlarm } from '@/features/alerts/alarm/store'
import { paced } from '@/shared/time/paced'
import { isActive, useAlerts } from '@/features/alerts/alerts'
import { useUi } from '@/shared/workspace/ui'

const stayMs = 12_000
/** In a burst each that comes is worse or newer than the last: the map goes to the first, then no more often than this. */
const burstMs = 1500

/** Wall mode shows each red and orange alert in turn, then the whole city, and what comes to the front at once. */
export function useTour(home: () => void) {
  const ui = useUi()
  const alerts = useAlerts()
  const alarm = useAlarm()
  const { pause, resume } = useIntervalFn(next, stayMs, { immediate: false })
  let at = -1

  function next() {
    const stops = alerts.sorted.filter((a) => isActive(a) && (a.level === 1 || a.level === 2))
    at = (at + 1) % (stops.length + 1)
    const stop = stops[at]
    if (stop) {
      ui.openAlert(stop.id)
      return
    }
    ui.openAlert(null)
    home()
  }

  watch(
    () => ui.wall,
    (on) => {
      pause()
      at = -1
      if (on) resume()
    },
    { immediate: true },
  )
  // What comes to the front is shown at once, and again for the whole of its turn when it rises.
  const toFront = () => (ui.wall && alarm.front && alarm.front.level <= 2 ? `${alarm.front.id}/${alarm.front.level}` : '')
  let shown = ''
  const showFront = paced(() => {
    const now = toFront()
    if (now === shown) return
    shown = now
    if (!now || !alarm.front) return
    ui.openAlert(alarm.front.id)
    at = -1
    resume()
  }, burstMs)
  watch(toFront, showFront, { immediate: true })
  onBeforeUnmount(() => showFront.stop())
}
