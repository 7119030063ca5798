import { ref } from 'vue'
import { t } from '@/shared/i18n'
import { focusInto } from '@/shared/ui/focus'
import { rank } from '@/shared/format/levels'
import { nextOf } from './nextalert'
import { useMap } from '@/shared/map/map'
import { isActive, useAlerts } from '@/features/alerts/alerts'
import { useDevices } from '@/features/devices/devices'
import { useUi, type Pick } from '@/shared/workspace/ui'
import { useKeyboard } from './useKeyboard'
import { useWall } from './useWall'

/** The most devices that the list of what is in view holds. */
const inViewLimit = 100

interface Parts {
  search(): void
  home(): void
  move(by: number): void
}

/** The keys of the command page, and what they say when there is nothing to do. */
export function useCommandKeys(parts: Parts) {
  const ui = useUi()
  const alerts = useAlerts()
  const devices = useDevices()
  const said = ref('')
  const wall = useWall()
  const map = useMap()

  /** Opens the next alarm that is active and not confirmed, and moves the focus into its card. */
  function next() {
    const ids = alerts.sorted.filter((a) => isActive(a) && a.handling === 'new').map((a) => a.id)
    const id = nextOf(ids, ui.alertId)
    said.value = id === null ? t('keys.noneLeft') : ''
    if (id === null) return
    ui.openAlert(id)
    focusInto(`[data-testid="alert-card"]`)
  }

  /** Presses the button that has the key K, if it is there and enabled: the key has no rules of its own. */
  function acknowledge() {
    const button = document.querySelector<HTMLButtonElement>('[data-testid="alert-card"] button[aria-keyshortcuts="K"]')
    said.value = button && !button.disabled ? '' : ui.alertId === null ? t('keys.noneOpen') : t('keys.notPossible')
    if (button && !button.disabled) button.click()
  }

  /** Lists the devices that the map shows, the worst first: what clusters hide from the keyboard. */
  function inView() {
    const box = map.bounds()
    if (!box) return
    const [west, south, east, north] = box
    const found = devices.list
      .filter((d) => d.lon >= west && d.lon <= east && d.lat >= south && d.lat <= north)
      .sort((a, b) => rank(a.level) - rank(b.level) || a.id.localeCompare(b.id))
    said.value = found.length ? '' : t('inView.empty')
    if (!found.length) return
    ui.card = null
    ui.picks = found.slice(0, inViewLimit).map((d): Pick => ({ kind: 'device', id: d.id, name: d.name, level: d.level }))
    ui.inView = found.length
    focusInto('[data-testid="pick-card"] li button')
  }

  useKeyboard({ search: () => parts.search(), home: () => parts.home(), move: (by) => parts.move(by), next, acknowledge, inView, wall: () => void wall.toggle() })
  return { said, toggleWall: wall.toggle }
}
