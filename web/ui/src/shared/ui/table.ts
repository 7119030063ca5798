/** A column of a DataTable. */
export interface TableColumn {
  key: string
  label: string
  /** `num`: figures of one width; `short`: never broken into lines. */
  class?: string
}
