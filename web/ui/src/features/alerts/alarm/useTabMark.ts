import { watch } from 'vue'
import type { Level } from '@/shared/api/types'
import { at } from '@/shared/api/base'
import { tokens } from '@/shared/theme/tokens'
import { useAlarm } from './store'

const plain = at('/icon.svg')

/** The tab's icon with a dot in the level's colour. */
export function iconFor(level: Level): string {
  if (!level) return plain
  const colour = tokens.dark.levelFill[level]
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#121b2b"/><circle cx="16" cy="16" r="11" fill="${colour}" stroke="#fff" stroke-width="2"/></svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}

/** Marks the tab with the worst unanswered level. The title's count is App.vue's. */
export function useTabMark() {
  const alarm = useAlarm()
  watch(
    () => alarm.level,
    (level) => {
      const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
      if (link) link.href = iconFor(level)
    },
    { immediate: true },
  )
}
