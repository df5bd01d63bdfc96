//! What the demo sells: shelves of the real category tree, each with a few kinds of goods, and the words around them.

/// A shelf: its category and what stands on it.
pub(super) struct Shelf {
    /// Category id, of level 2.
    pub(super) category: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// A usual price, in US cents.
    pub(super) price: i64,
    /// Reward in 1/100 %.
    pub(super) rate: i64,
    /// How much is bought of it, against other shelves.
    pub(super) weight: u64,
    /// The season of the goods: months (1 to 12) in which three times as much is bought.
    pub(super) months: &'static [u32],
    /// Kinds of goods.
    pub(super) goods: &'static [&'static str],
}

const ALL_YEAR: &[u32] = &[];
const SUMMER: &[u32] = &[5, 6, 7];
const SPRING: &[u32] = &[3, 4, 5];
const WINTER: &[u32] = &[11, 12, 1];
const YULE: &[u32] = &[11, 12];
const SCHOOL: &[u32] = &[8, 9];

macro_rules! shelves {
    ($($category:literal $name:literal $price:literal $rate:literal $weight:literal $months:ident [$($goods:literal),+ $(,)?])+) => {
        /// All shelves.
        pub(super) const SHELVES: &[Shelf] = &[$(Shelf {
            category: $category, name: $name, price: $price, rate: $rate, weight: $weight, months: $months,
            goods: &[$($goods),+],
        }),+];
    };
}

shelves! {
    "629" "Accessories & Parts" 450 600 9 ALL_YEAR ["USB-C Cable 100W", "HDMI 2.1 Cable", "Charging Dock", "AA Battery Charger", "Кабель USB-C быстрая зарядка"]
    "200003803" "Smart Electronics" 2900 550 8 ALL_YEAR ["Smart Band", "Smart Plug with Power Meter", "Smart Ring", "GPS Tracker Tag", "Умная розетка"]
    "100000306" "Portable Audio & Video" 1900 600 9 ALL_YEAR ["TWS Earbuds", "Bluetooth Speaker", "In-Ear Monitor Headphones", "Bone Conduction Headset"]
    "100000305" "Camera & Photo" 3400 500 4 SUMMER ["Tripod with Remote", "Action Camera", "LED Ring Light", "Camera Strap"]
    "100000310" "Games & Accessories" 2200 550 5 WINTER ["Wireless Gamepad", "Handheld Game Console", "Joystick Caps", "Controller Charging Stand"]
    "5090301" "Mobile Phones" 16900 250 5 ALL_YEAR ["Smartphone 8+256GB", "Rugged Phone IP68", "Смартфон 6+128 ГБ"]
    "202228401" "Phone Cases & Covers" 380 800 14 ALL_YEAR ["Magnetic Phone Case", "Shockproof Bumper Case", "Leather Wallet Case", "Clear TPU Case", "Чехол для телефона"]
    "202242202" "Protective Film" 260 800 9 ALL_YEAR ["Tempered Glass 9H", "Privacy Screen Protector", "Camera Lens Film", "Защитное стекло"]
    "202228620" "Holders & Stands" 690 700 6 ALL_YEAR ["Car Phone Holder", "Foldable Desk Stand", "Bike Phone Mount"]
    "201084002" "Mobile Phone Parts" 1500 500 3 ALL_YEAR ["Replacement Battery", "LCD Display Assembly", "Charging Port Board"]
    "702" "Laptops" 32900 250 2 SCHOOL ["Mini Laptop 10.1\"", "Laptop 15.6\" 16GB RAM"]
    "200001086" "Tablets" 11900 300 3 SCHOOL ["Android Tablet 11\"", "Drawing Tablet", "E-Reader 6\""]
    "200001081" "Computer Peripherals" 2100 600 7 ALL_YEAR ["Mechanical Keyboard 68 Keys", "Wireless Mouse", "USB Hub 7-in-1", "Webcam 1080p", "Клавиатура механическая"]
    "200001076" "Computer Components" 7900 350 4 ALL_YEAR ["CPU Cooler", "DDR4 RAM 16GB", "Thermal Paste", "ATX Power Supply 650W"]
    "200154144" "Internal Storage" 3900 350 4 ALL_YEAR ["NVMe SSD 1TB", "SATA SSD 480GB", "HDD Enclosure"]
    "200001077" "Networking" 2600 450 3 ALL_YEAR ["WiFi 6 Router", "Ethernet Switch 8 Port", "USB WiFi Adapter", "RJ45 Crimping Kit"]
    "200003879" "3D Printing & Additive Manufacturing" 2400 500 3 ALL_YEAR ["PLA Filament 1kg", "Brass Nozzle Set", "3D Printer Bed Sheet"]
    "100000041" "Kitchen Appliances" 3600 600 5 ALL_YEAR ["Portable Blender", "Coffee Grinder", "Electric Kettle", "Air Fryer Liner Set"]
    "100000038" "Cleaning Appliances" 8900 500 4 ALL_YEAR ["Robot Vacuum Brush Set", "Cordless Vacuum Cleaner", "Window Cleaning Robot"]
    "200165142" "Personal Care Appliances" 2700 700 4 ALL_YEAR ["Hair Trimmer", "Ionic Hair Dryer", "Water Flosser", "Машинка для стрижки"]
    "125" "Garden Supplies" 900 800 4 SPRING ["Drip Irrigation Kit", "Grow Bags Set", "Solar Garden Pump", "Pruning Shears"]
    "405" "Home Textile" 1800 750 5 WINTER ["Duvet Cover Set", "Fleece Blanket", "Blackout Curtains", "Плед мягкий"]
    "1541" "Home Storage & Organization" 850 800 6 ALL_YEAR ["Drawer Organizer", "Vacuum Storage Bags", "Shoe Rack", "Spice Rack"]
    "3710" "Home Decor" 1100 850 5 ALL_YEAR ["Wall Clock", "Canvas Poster", "Ceramic Vase", "Scented Candle Set"]
    "200000920" "Kitchen, Dining & Bar" 950 800 8 ALL_YEAR ["Silicone Baking Mat", "Chef Knife 8\"", "Pour-Over Coffee Set", "Garlic Press", "Форма для выпечки"]
    "200003937" "Arts, Crafts & Sewing" 600 850 6 ALL_YEAR ["Diamond Painting Kit", "Embroidery Hoop Set", "Acrylic Yarn", "Resin Mold", "Алмазная мозаика"]
    "100001824" "Festive & Party Supplies" 700 850 4 YULE ["Balloon Arch Kit", "Christmas Tree Ornaments", "Birthday Banner", "Ёлочные игрушки"]
    "100006664" "Pet Products" 900 800 6 ALL_YEAR ["Cat Scratching Board", "Dog Harness", "Automatic Pet Feeder", "Cat Litter Mat"]
    "42" "Hardware" 550 700 3 ALL_YEAR ["Stainless Steel Screws 500 pcs", "Cabinet Hinges", "Door Lock Cylinder"]
    "200066142" "Bathroom Fixture" 1700 700 3 ALL_YEAR ["Rain Shower Head", "Waterfall Faucet", "Toilet Paper Holder"]
    "200003500" "Cycling" 1500 700 5 SUMMER ["Bike Helmet", "Bicycle Light USB", "Saddle Bag", "Cycling Gloves", "Велофонарь"]
    "100005529" "Camping & Hiking" 2300 700 5 SUMMER ["Camping Lantern", "Sleeping Bag", "Folding Chair", "Titanium Cup", "Палатка двухместная"]
    "100005371" "Fitness & Body Building" 1400 700 4 ALL_YEAR ["Resistance Bands Set", "Yoga Mat 8mm", "Push-Up Board", "Jump Rope"]
    "100005537" "Fishing" 900 750 4 SUMMER ["Fishing Lure Set", "Spinning Reel 4000", "Braided Line 300m", "Воблер рыболовный"]
    "100005481" "Musical Instruments" 2900 600 2 ALL_YEAR ["Kalimba 17 Keys", "Guitar Capo", "Ukulele 23\"", "Clip-On Tuner"]
    "200000950" "Sneakers" 3900 700 4 SPRING ["Running Shoes", "Breathable Sneakers", "Skateboard Shoes"]
    "301" "Sportswear" 1900 750 4 ALL_YEAR ["Compression Shirt", "Yoga Leggings", "Running Shorts"]
    "3306" "Skin Care" 900 900 6 ALL_YEAR ["Vitamin C Serum", "Snail Cream", "Sunscreen SPF50", "Collagen Mask Set"]
    "660103" "Makeup" 650 900 6 ALL_YEAR ["Matte Lip Gloss Set", "Eyeshadow Palette", "Mascara Waterproof", "Makeup Brushes Set"]
    "200001147" "Nail Art & Tools" 550 900 5 ALL_YEAR ["Gel Nail Polish Set", "UV Nail Lamp", "Nail Stickers", "Гель-лак набор"]
    "201217706" "Massage & Relaxation" 2400 800 3 WINTER ["Massage Gun", "Neck Massager", "Acupressure Mat"]
    "200000285" "Car Electronics" 3900 500 5 ALL_YEAR ["Dash Cam 4K", "Android Car Radio", "OBD2 Scanner", "Видеорегистратор"]
    "200003411" "Interior Accessories" 1100 750 4 ALL_YEAR ["Car Seat Cover", "Trunk Organizer", "Car Air Freshener"]
    "200002005" "Car Lights" 1600 650 4 WINTER ["H7 LED Bulbs", "Ambient Light Strip", "Fog Light Pair"]
    "200000212" "Auto Replacement Parts" 2300 500 4 ALL_YEAR ["Oxygen Sensor", "Window Switch", "Brake Pads Set", "Cabin Filter"]
    "200362146" "Men's Watches" 3400 800 4 ALL_YEAR ["Automatic Dive Watch", "Quartz Chronograph", "Digital Sport Watch"]
    "200362145" "Women's Watches" 2100 800 3 ALL_YEAR ["Rose Gold Watch", "Bracelet Watch", "Ceramic Watch"]
    "200001383" "Building & Construction Toys" 2900 700 6 YULE ["Building Blocks 1200 pcs", "Castle Brick Set", "Technic Car Set", "Конструктор машина"]
    "200001385" "Remote Control Toys" 3300 650 4 YULE ["RC Drone with Camera", "RC Crawler 1:16", "RC Boat"]
    "200001387" "Stuffed Animals & Plush" 1200 800 3 YULE ["Plush Cat 50cm", "Capybara Plush", "Мягкая игрушка кот"]
    "390501" "LED Lighting" 1200 700 6 ALL_YEAR ["LED Strip 5m", "Neon Rope Light", "Under Cabinet Light", "Лента светодиодная"]
    "150403" "Holiday Lighting" 1300 750 3 YULE ["Fairy Lights 20m", "Curtain Lights 3x3", "Solar String Lights", "Гирлянда занавес"]
    "1417" "Power Tools" 4900 500 4 SPRING ["Cordless Drill 20V", "Angle Grinder", "Mini Chainsaw", "Electric Screwdriver", "Шуруповёрт аккумуляторный"]
    "142003" "Hand Tools" 1300 650 4 ALL_YEAR ["Screwdriver Set 115 in 1", "Ratchet Wrench Set", "Digital Caliper"]
    "1537" "Measurement & Analysis Instruments" 2200 550 3 ALL_YEAR ["Digital Multimeter", "Laser Level", "Thermal Camera", "Soil Tester"]
    "311" "Children's Clothing" 1300 850 4 SCHOOL ["Kids Hoodie", "Girls Dress", "Boys Tracksuit"]
    "200002038" "Feeding" 900 750 2 ALL_YEAR ["Silicone Bib", "Baby Bottle Warmer", "Snack Cup"]
    "150304" "Office Furniture" 8900 400 2 SCHOOL ["Gaming Chair", "Standing Desk Frame", "Monitor Arm"]
    "202236005" "Backpack" 2400 800 4 SCHOOL ["Laptop Backpack", "Tactical Backpack 45L", "Sling Bag", "Рюкзак городской"]
    "201336907" "Women's Handbags" 2600 900 4 ALL_YEAR ["Crossbody Bag", "Tote Bag", "Evening Clutch"]
    "3803" "Wallets & Holders" 1100 900 3 ALL_YEAR ["Card Holder", "Leather Wallet", "Passport Cover"]
    "3011" "Video Surveillance" 3600 500 4 ALL_YEAR ["WiFi IP Camera 5MP", "Video Doorbell", "NVR Kit 8CH", "Камера наблюдения"]
    "200133142" "Women's Shoes" 2900 850 4 SPRING ["Ankle Boots", "Ballet Flats", "Platform Sandals"]
    "200131145" "Men's Shoes" 3400 800 3 SPRING ["Chelsea Boots", "Canvas Loafers", "Hiking Shoes"]
    "1509" "Fashion Jewelry" 700 900 6 ALL_YEAR ["Moissanite Ring", "Stainless Necklace", "Huggie Earrings", "Charm Bracelet", "Серьги кольца"]
    "200000440" "Eyewear & Accessories" 1000 900 4 SUMMER ["Polarized Sunglasses", "Blue Light Glasses", "Glasses Case"]
    "200000402" "Hats & Caps" 900 900 3 WINTER ["Beanie Hat", "Baseball Cap", "Bucket Hat", "Шапка вязаная"]
    "100003155" "Notebooks & Writing Pads" 800 850 3 SCHOOL ["Dotted Notebook A5", "Sticky Notes Set", "Traveler Journal"]
    "211111" "Art Supplies" 1200 850 3 SCHOOL ["Acrylic Marker Set", "Watercolor Paper", "Sketch Pencil Set"]
}

/// Makers; invented.
pub(super) const MAKERS: &[&str] = &[
    "Velora", "Nordik", "Tengwei", "Sunari", "Kestrel", "Oruma", "Bexon", "Lumio", "Haitao",
    "Qirin", "Mavoto", "Zendo", "Pulsea", "Arctis", "Fjordy", "Minware", "Corvix", "Dalen",
    "Yumeko", "Tavros",
];
/// What a name ends with.
pub(super) const VARIANTS: &[&str] = &[
    "Black",
    "White",
    "2 pcs",
    "5 pcs",
    "Upgraded Version",
    "Pro",
    "Mini",
    "Gen 2",
    "Blue",
    "Gift Box",
    "XL",
    "Set of 3",
    "Waterproof",
    "for Home",
    "Hot Sale",
    "New 2025",
];
/// Why upstream declined, where it says so.
pub(super) const COMMENTS: &[&str] = &[
    "Order cancelled",
    "Returned by the buyer",
    "Not paid",
    "Other paid source",
    "Wholesale order",
    "Region not covered",
];
