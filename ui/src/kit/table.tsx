import type { ReactNode } from "react";

interface Column<T> {
  name: string;
  /** Read out only: the column of buttons. */
  isHidden?: boolean;
  show: (item: T) => ReactNode;
}

/** A plain table that becomes cards on a phone; the first column is the name, a hidden one holds the buttons. */
export function Table<T>({
  columns,
  items,
  keyOf,
}: {
  columns: readonly Column<T>[];
  items: readonly T[];
  keyOf: (item: T) => string | number;
}) {
  return (
    <div className="table-wrap">
      <table className="table cards">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.name}>
                {column.isHidden ? <span className="hidden-visually">{column.name}</span> : column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={keyOf(item)}>
              {columns.map((column, index) => (
                <td
                  key={column.name}
                  className={column.isHidden ? "actions" : index === 0 ? "name break" : "break"}
                  {...(index > 0 && !column.isHidden ? { "data-label": column.name } : {})}
                >
                  {column.show(item)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
