//! Workbooks made by hand, sound and hostile: XLSX as a ZIP of XML, XLS as a compound file of records.

use std::io::Write as _;

/// A cell.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Text(String),
    Number(f64),
    /// Days in a spreadsheet's count, formatted as a date and time where the format can say so.
    Date(f64),
    Empty,
}

/// A ZIP archive in the making.
#[derive(Default)]
pub(crate) struct Zip {
    body: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Zip {
    /// Adds a file; `claimed` is the size that the directory says, where it is to lie.
    pub(crate) fn add(&mut self, name: &str, content: &[u8], claimed: Option<u32>) {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let mut packer =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(content).unwrap();
        let packed = packer.finish().unwrap();
        let size = u32::try_from(content.len()).unwrap();
        let packed_size = u32::try_from(packed.len()).unwrap();
        let offset = u32::try_from(self.body.len()).unwrap();
        let length = u16::try_from(name.len()).unwrap();
        let common = |out: &mut Vec<u8>| {
            for number in [20_u16, 0, 8, 0, 33] {
                out.extend(number.to_le_bytes());
            }
            out.extend(crc.sum().to_le_bytes());
            out.extend(packed_size.to_le_bytes());
            out.extend(claimed.unwrap_or(size).to_le_bytes());
            out.extend(length.to_le_bytes());
            out.extend(0_u16.to_le_bytes());
        };
        self.body.extend(b"PK\x03\x04");
        common(&mut self.body);
        self.body.extend(name.as_bytes());
        self.body.extend(&packed);
        self.directory.extend(b"PK\x01\x02\x14\x00");
        common(&mut self.directory);
        self.directory.extend([0; 10]);
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.count += 1;
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let offset = u32::try_from(self.body.len()).unwrap();
        let size = u32::try_from(self.directory.len()).unwrap();
        let mut bytes = self.body;
        bytes.extend(self.directory);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

/// The parts of a workbook around its one sheet and its shared strings.
pub(crate) fn xlsx_of(sheet: &str, strings: &str) -> Vec<u8> {
    xlsx_claiming(sheet, strings, None)
}

/// Likewise, with a directory that says that the two are small.
pub(crate) fn xlsx_lying(sheet: &str, strings: &str) -> Vec<u8> {
    xlsx_claiming(sheet, strings, Some(1_000))
}

fn xlsx_claiming(sheet: &str, strings: &str, claimed: Option<u32>) -> Vec<u8> {
    let types = "http://schemas.openxmlformats.org/package/2006/content-types";
    let relations = "http://schemas.openxmlformats.org/package/2006/relationships";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let mut zip = Zip::default();
    for (name, content) in [
        ("[Content_Types].xml", format!("<Types xmlns=\"{types}\"/>")),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{relations}\"><Relationship Id=\"rId1\" Type=\"{office}/officeDocument\" \
                 Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{office}\"><sheets><sheet name=\"Actions\" sheetId=\"1\" \
                 r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{relations}\">\
                 <Relationship Id=\"rId1\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
                 <Relationship Id=\"rId2\" Type=\"{office}/sharedStrings\" Target=\"sharedStrings.xml\"/>\
                 <Relationship Id=\"rId3\" Type=\"{office}/styles\" Target=\"styles.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                "<styleSheet xmlns=\"{MAIN}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/></cellXfs></styleSheet>"
            ),
        ),
        ("xl/sharedStrings.xml", strings.to_owned()),
        ("xl/worksheets/sheet1.xml", sheet.to_owned()),
    ] {
        let claimed = claimed.filter(|_| name.contains("heet") || name.contains("String"));
        zip.add(name, format!("{HEAD}{content}").as_bytes(), claimed);
    }
    zip.finish()
}

/// A sheet around its rows.
pub(crate) fn worksheet(rows: &str) -> String {
    format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>")
}

pub(crate) fn no_strings() -> String {
    format!("<sst xmlns=\"{MAIN}\"/>")
}

/// The letters of a column.
fn letters(mut column: usize) -> String {
    let mut name = String::new();
    loop {
        name.insert(0, char::from(b'A' + u8::try_from(column % 26).unwrap()));
        if column < 26 {
            return name;
        }
        column = column / 26 - 1;
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A workbook with a table: every other text is a shared string.
pub(crate) fn xlsx(rows: &[Vec<Cell>]) -> Vec<u8> {
    let (mut sheet, mut strings, mut count) = (String::new(), String::new(), 0);
    for (at, cells) in rows.iter().enumerate() {
        sheet.push_str(&format!("<row r=\"{}\">", at + 1));
        for (column, cell) in cells.iter().enumerate() {
            let place = format!("{}{}", letters(column), at + 1);
            match cell {
                Cell::Text(text) if column % 2 == 0 => {
                    sheet.push_str(&format!("<c r=\"{place}\" t=\"s\"><v>{count}</v></c>"));
                    strings.push_str(&format!("<si><t xml:space=\"preserve\">{}</t></si>", escaped(text)));
                    count += 1;
                }
                Cell::Text(text) => sheet.push_str(&format!(
                    "<c r=\"{place}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>",
                    escaped(text)
                )),
                Cell::Number(number) => sheet.push_str(&format!("<c r=\"{place}\"><v>{number}</v></c>")),
                Cell::Date(days) => sheet.push_str(&format!("<c r=\"{place}\" s=\"1\"><v>{days}</v></c>")),
                Cell::Empty => {}
            }
        }
        sheet.push_str("</row>");
    }
    let strings =
        format!("<sst xmlns=\"{MAIN}\" count=\"{count}\" uniqueCount=\"{count}\">{strings}</sst>");
    xlsx_of(&worksheet(&sheet), &strings)
}

fn record(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
    out.extend(kind.to_le_bytes());
    out.extend(u16::try_from(body.len()).unwrap().to_le_bytes());
    out.extend(body);
}

fn head(kind: u16) -> Vec<u8> {
    let mut body = Vec::new();
    for number in [0x0600_u16, kind, 0x0dbb, 0x07cc, 0, 0, 6, 0] {
        body.extend(number.to_le_bytes());
    }
    body
}

/// The records of a workbook with one sheet, whose own records are `sheet`.
fn workbook(sheet: &[u8]) -> Vec<u8> {
    let mut globals = Vec::new();
    record(&mut globals, 0x0809, &head(0x0005));
    let name = b"Actions";
    // Behind this record and the one that ends the globals.
    let offset = u32::try_from(globals.len() + 4 + 8 + name.len() + 4).unwrap();
    let mut bound = offset.to_le_bytes().to_vec();
    bound.extend([0, 0, u8::try_from(name.len()).unwrap(), 0]);
    bound.extend(name);
    record(&mut globals, 0x0085, &bound);
    record(&mut globals, 0x000a, &[]);
    record(&mut globals, 0x0809, &head(0x0010));
    globals.extend(sheet);
    record(&mut globals, 0x000a, &[]);
    globals
}

/// A compound file with one stream, `Workbook`; `chain` may bend the file's table of sectors.
pub(crate) fn compound(mut stream: Vec<u8>, chain: impl Fn(&mut Vec<u32>)) -> Vec<u8> {
    const SECTOR: usize = 512;
    const END: u32 = 0xffff_fffe;
    // Shorter streams lie elsewhere.
    stream.resize(stream.len().max(4_096).next_multiple_of(SECTOR), 0);
    let sectors = stream.len() / SECTOR;
    let tables = (sectors + 2).div_ceil(127).max(1);
    let mut fat = Vec::new();
    for at in 1..=sectors {
        fat.push(if at == sectors {
            END
        } else {
            u32::try_from(at).unwrap()
        });
    }
    fat.push(END);
    fat.extend(std::iter::repeat_n(0xffff_fffd, tables));
    chain(&mut fat);
    fat.resize(tables * 128, 0xffff_ffff);
    let mut file = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    file.extend([0; 16]);
    for number in [0x3e_u16, 3, 0xfffe, 9, 6] {
        file.extend(number.to_le_bytes());
    }
    file.extend([0; 10]);
    let of = |number: usize| u32::try_from(number).unwrap();
    for number in [of(tables), of(sectors), 0, 4_096, END, 0, END, 0] {
        file.extend(number.to_le_bytes());
    }
    for at in 0..109 {
        let sector = if at < tables {
            of(sectors + 1 + at)
        } else {
            0xffff_ffff
        };
        file.extend(sector.to_le_bytes());
    }
    let size = stream.len();
    file.extend(stream);
    for (name, kind, child, start, size) in [
        ("Root Entry", 5_u8, 1, END, 0),
        ("Workbook", 2, 0xffff_ffff_u32, 0, of(size)),
        ("", 0, 0xffff_ffff, 0, 0),
        ("", 0, 0xffff_ffff, 0, 0),
    ] {
        let mut entry: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = if name.is_empty() { 0 } else { entry.len() + 2 };
        entry.resize(64, 0);
        entry.extend(u16::try_from(length).unwrap().to_le_bytes());
        entry.extend([kind, 1]);
        for number in [0xffff_ffff, 0xffff_ffff, child] {
            entry.extend(number.to_le_bytes());
        }
        entry.resize(116, 0);
        entry.extend(start.to_le_bytes());
        entry.extend(u64::from(size).to_le_bytes());
        file.extend(entry);
    }
    for number in fat {
        file.extend(number.to_le_bytes());
    }
    file
}

/// The records of cells.
pub(crate) fn xls_cells(rows: &[Vec<Cell>]) -> Vec<u8> {
    let mut sheet = Vec::new();
    for (at, cells) in rows.iter().enumerate() {
        for (column, cell) in cells.iter().enumerate() {
            sheet.extend(xls_cell(
                u16::try_from(at).unwrap(),
                u16::try_from(column).unwrap(),
                cell,
            ));
        }
    }
    sheet
}

/// The record of a cell; dates are plain numbers, for no format is declared.
pub(crate) fn xls_cell(row: u16, column: u16, cell: &Cell) -> Vec<u8> {
    let mut body: Vec<u8> = [row, column, 0]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let mut out = Vec::new();
    match cell {
        Cell::Text(text) => {
            let wide: Vec<u16> = text.encode_utf16().collect();
            body.extend(u16::try_from(wide.len()).unwrap().to_le_bytes());
            body.push(1);
            body.extend(wide.iter().flat_map(|unit| unit.to_le_bytes()));
            record(&mut out, 0x0204, &body);
        }
        Cell::Number(number) | Cell::Date(number) => {
            body.extend(number.to_le_bytes());
            record(&mut out, 0x0203, &body);
        }
        Cell::Empty => {}
    }
    out
}

/// An old workbook with a table.
pub(crate) fn xls(rows: &[Vec<Cell>]) -> Vec<u8> {
    compound(workbook(&xls_cells(rows)), |_| {})
}

/// An old workbook of these records of cells.
pub(crate) fn xls_of(sheet: &[u8]) -> Vec<u8> {
    compound(workbook(sheet), |_| {})
}

/// The stream of a workbook without cells, for files whose frame is at fault.
pub(crate) fn xls_stream() -> Vec<u8> {
    workbook(&[])
}
