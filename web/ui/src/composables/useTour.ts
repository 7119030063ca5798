import { onBeforeUnmount, watch } from 'vue'
import { isActive, useAlerts } from '../stores/alerts'
import { useUi } from '../stores/ui'

const stayMs = 12_000

/** Wall mode shows each red and orange alert in turn, then the whole city, and a new red one at once. */
export function useTour(home: () => void) {
  const ui = useUi()
  const alerts = useAlerts()
  let timer: ReturnType<typeof setInterval> | undefined
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
      clearInterval(timer)
      at = -1
      if (on) timer = setInterval(next, stayMs)
    },
    { immediate: true },
  )
  watch(
    () => alerts.arrived,
    (arrived) => {
      if (!ui.wall || arrived?.level !== 1) return
      clearInterval(timer)
      ui.openAlert(arrived.id)
      at = -1
      timer = setInterval(next, stayMs)
    },
  )
  onBeforeUnmount(() => clearInterval(timer))
}
