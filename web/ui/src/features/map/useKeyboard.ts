import { useEventListener } from '@vueuse/core'
import { dialogOpen, isTyping } from '@/shared/ui/focus'
import { usePrefs } from '@/shared/prefs/prefs'
import { useUi } from '@/shared/workspace/ui'

export interface KeyActions {
  search(): void
  home(): void
  /** Moves in the list of alarms. */
  move(by: number): void
  /** Opens the next alarm that nobody of this unit has answered. */
  next(): void
  /** Confirms the alarm that is open, if its button would. */
  acknowledge(): void
  /** Lists what is in view on the map. */
  inView(): void
  /** Turns the wall on or off, over the whole screen. */
  wall(): void
}

/** The keys of the command page, as the help shows them. */
export const pageKeys = [
  { keys: ['N'], key: 'keys.next' },
  { keys: ['K'], key: 'keys.acknowledge' },
  { keys: ['↑', '↓'], key: 'keys.arrows' },
  { keys: ['Enter'], key: 'keys.enter' },
  { keys: ['/'], key: 'keys.search' },
  { keys: ['V'], key: 'keys.inView' },
  { keys: ['H'], key: 'keys.home' },
  { keys: ['A'], key: 'keys.alerts' },
  { keys: ['L'], key: 'keys.layers' },
  { keys: ['T'], key: 'keys.drawer' },
  { keys: ['M'], key: 'keys.mute' },
  { keys: ['F11'], key: 'keys.wall' },
  { keys: ['Esc'], key: 'keys.escape' },
  { keys: ['?'], key: 'keys.help' },
] as const

/** The command page's keys. While something is typed, a menu or a dialog is open, only Esc is ours. */
export function useKeyboard(actions: KeyActions) {
  const ui = useUi()
  const prefs = usePrefs()

  function escape(event: KeyboardEvent) {
    if (dialogOpen() && !ui.help) return // the dialog's own
    if (isTyping(event.target)) (event.target as HTMLElement).blur()
    if (ui.escape()) event.preventDefault()
  }

  const simple: Record<string, () => void> = {
    l: () => (ui.panels.layers = !ui.panels.layers),
    a: () => (ui.panels.alerts = !ui.panels.alerts),
    t: () => (ui.panels.drawer = !ui.panels.drawer),
    m: () => (prefs.muted = !prefs.muted),
    h: actions.home,
    n: actions.next,
    k: actions.acknowledge,
    v: actions.inView,
    '/': actions.search,
    '?': () => (ui.help = !ui.help),
  }

  function key(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return
    if (event.key === 'Escape') {
      escape(event)
      return
    }
    if (isTyping(event.target) || (dialogOpen() && !(ui.help && event.key === '?'))) return
    if (event.key === 'F11') {
      if (!event.repeat) actions.wall()
      event.preventDefault()
      return
    }
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      if (event.target !== document.body) return
      actions.move(event.key === 'ArrowDown' ? 1 : -1)
      event.preventDefault()
      return
    }
    const act = simple[event.key.toLowerCase()]
    if (!act) return
    event.preventDefault()
    if (!event.repeat) act()
  }
  useEventListener(window, 'keydown', key)
}
