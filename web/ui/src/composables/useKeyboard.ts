import { onBeforeUnmount, onMounted } from 'vue'
import { usePrefs } from '../stores/prefs'
import { useUi } from '../stores/ui'

export interface KeyActions {
  search(): void
  home(): void
  move(by: number): void
}

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

/** The command page's keys. While something is typed only Esc is ours. */
export function useKeyboard(actions: KeyActions) {
  const ui = useUi()
  const prefs = usePrefs()

  function key(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    if (event.key === 'Escape') {
      if (typing(event.target)) (event.target as HTMLElement).blur()
      if (ui.escape()) event.preventDefault()
      return
    }
    if (typing(event.target)) return
    const idle = event.target === document.body
    switch (event.key) {
      case 'l': case 'L': ui.panels.layers = !ui.panels.layers; break
      case 'a': case 'A': ui.panels.alerts = !ui.panels.alerts; break
      case 't': case 'T': ui.panels.drawer = !ui.panels.drawer; break
      case 'm': case 'M': prefs.muted = !prefs.muted; break
      case 'h': case 'H': actions.home(); break
      case '/': actions.search(); break
      case '?': ui.help = !ui.help; break
      case 'ArrowDown': if (!idle) return; actions.move(1); break
      case 'ArrowUp': if (!idle) return; actions.move(-1); break
      default: return
    }
    event.preventDefault()
  }
  onMounted(() => window.addEventListener('keydown', key))
  onBeforeUnmount(() => window.removeEventListener('keydown', key))
}
