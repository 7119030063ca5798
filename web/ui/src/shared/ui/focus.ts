// Where the keyboard's focus is, and moving it.

const fields = 'input, textarea, select, [contenteditable=""], [contenteditable="true"], [role="combobox"], [role="menu"], [role="menu"] *'

/** Keys that are pressed here belong to what is typed, or to a menu. */
export const isTyping = (target: EventTarget | null): boolean => target instanceof Element && target.matches(fields)

/** A dialog is open: the page behind it takes no keys. */
export function dialogOpen(): boolean {
  return [...document.querySelectorAll('[aria-modal="true"], dialog[open]')].some((e) => e.getClientRects().length > 0)
}

const entries = 'input:not([type="hidden"], [hidden], :disabled), select:not(:disabled), textarea:not(:disabled)'

/**
 * Moves the focus to the first field in root, or to the first button where there is no field; what comes later is waited
 * for. It stays where somebody has put it in the meantime. Returns the way to stop waiting.
 */
export function focusFirst(root: HTMLElement): () => void {
  const go = () => {
    if (root.contains(document.activeElement)) return true
    const first = root.querySelector<HTMLElement>(entries) ?? root.querySelector<HTMLElement>('button:not(:disabled)')
    first?.focus()
    return first !== null
  }
  const observer = new MutationObserver(() => go() && observer.disconnect())
  if (!go()) observer.observe(root, { childList: true, subtree: true })
  return () => observer.disconnect()
}

/** Moves the focus into the first element that selector finds, at once or when it comes; nothing happens when it never does. */
export function focusInto(selector: string, withinMs = 3000): void {
  const go = () => {
    const el = document.querySelector<HTMLElement>(selector)
    if (!el) return false
    if (el.tabIndex < 0 && !el.hasAttribute('tabindex')) el.setAttribute('tabindex', '-1')
    el.focus()
    return true
  }
  if (go()) return
  const observer = new MutationObserver(() => {
    if (go()) stop()
  })
  const timer = setTimeout(() => stop(), withinMs)
  function stop() {
    observer.disconnect()
    clearTimeout(timer)
  }
  observer.observe(document.body, { childList: true, subtree: true })
}
