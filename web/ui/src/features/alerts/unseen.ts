// How alerts that are not in sight are counted in words.

import { t } from '@/shared/i18n'

/** "2 条红色、1 条橙色"; '' of none. */
export function unseenText({ red, orange }: { red: number; orange: number }): string {
  const parts = [...(red ? [t('handling.list.reds', { n: red })] : []), ...(orange ? [t('handling.list.oranges', { n: orange })] : [])]
  return parts.length === 2 ? t('handling.list.and', { a: parts[0]!, b: parts[1]! }) : (parts[0] ?? '')
}
