import type { Division, Me } from '@/shared/api/types'
import { t, tx } from '@/shared/i18n'
import type { Choice } from '@/shared/ui/form'

/**
 * The divisions that an account or a display may be of, the city itself among them for who sees all of it. A code that is
 * no longer in force is left out, except the one kept.
 */
export function placesOf(divisions: Division[], me: Me | null, kept = ''): Choice<string>[] {
  const city = me && me.division === me.city.code ? [{ value: me.city.code, label: t('accounts.city', { name: tx(me.city.name) }) }] : []
  return [...city, ...divisions.filter((d) => !d.valid_to || d.code === kept).map((d) => ({ value: d.code, label: `${tx(d.name)} ${d.code}` }))]
}
