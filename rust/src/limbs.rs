//! Numbers of some digits of any radix, in as few 64-bit limbs as hold whole digits, the lowest limb first.

/// A divisor and its reciprocal: division by multiplication, in the same time for all numbers.
pub struct Divisor {
    divisor: u64,
    reciprocal: u64,
}

impl Divisor {
    /// Prepare to divide by a number other than zero.
    pub fn new(divisor: u64) -> Self {
        Self { divisor, reciprocal: u64::MAX / divisor }
    }

    // Nothing below can overflow; wrapping arithmetic only spares the checks.

    /// Quotient and remainder.
    #[inline(always)]
    pub fn divide(&self, number: u64) -> (u64, u64) {
        // The reciprocal is low by less than divisor / 2^64, so the quotient by at most one.
        let quotient = (u128::from(number).wrapping_mul(u128::from(self.reciprocal)) >> 64) as u64;
        let rest = number.wrapping_sub(quotient.wrapping_mul(self.divisor));
        (quotient.wrapping_add(u64::from(rest >= self.divisor)), self.reduced(rest))
    }

    /// The sum of two numbers below the divisor, modulo it.
    #[inline(always)]
    pub fn sum(&self, number: u64, other: u64) -> u64 {
        self.reduced(number.wrapping_add(other))
    }

    /// The difference of two numbers below the divisor, modulo it.
    #[inline(always)]
    pub fn difference(&self, number: u64, other: u64) -> u64 {
        self.reduced(number.wrapping_add(self.divisor).wrapping_sub(other))
    }

    /// A number below twice the divisor, modulo it.
    #[inline(always)]
    fn reduced(&self, number: u64) -> u64 {
        number.min(number.wrapping_sub(self.divisor)) // which is huge where it went below zero: no branch
    }

    /// Quotient and remainder of `high * 2^64 + low`, where `high` is below the divisor.
    #[inline(always)]
    fn divide_wide(&self, high: u64, low: u64) -> (u64, u64) {
        let (number, divisor) = (u128::from(high) << 64 | u128::from(low), u128::from(self.divisor));
        ((number / divisor) as u64, (number % divisor) as u64)
    }
}

/// How numbers of so many digits are laid out; they are counted modulo radix^digits.
pub struct Layout {
    radix: Divisor,
    /// Digits of a limb that is full.
    digits: usize,
    /// What each limb counts to, the lowest first.
    bases: Vec<Divisor>,
}

impl Layout {
    /// Lay out numbers of `size` digits, at least one.
    pub fn new(radix: u32, size: usize) -> Self {
        let radix = u64::from(radix);
        // 63 bits, so that a sum fits 64.
        let digits =
            (1..).take_while(|&digits| radix.checked_pow(digits).is_some_and(|power| power <= 1 << 63)).count();
        let bases = (0..size).step_by(digits).map(|low| Divisor::new(radix.pow((size - low).min(digits) as u32)));
        Self { radix: Divisor::new(radix), digits, bases: bases.collect() }
    }

    /// Limbs of a number.
    pub fn limbs(&self) -> usize {
        self.bases.len()
    }

    /// What numbers count to, where they have one limb.
    pub fn only_base(&self) -> Option<&Divisor> {
        if let [base] = self.bases.as_slice() { Some(base) } else { None }
    }

    /// Bytes that hold every number: b of FF1's step 3.
    pub fn bytes(&self) -> usize {
        let largest: Vec<u64> = self.bases.iter().map(|base| base.divisor - 1).collect();
        let mut bytes = vec![0; 8 * self.limbs()];
        self.to_bytes(&largest, &mut bytes);
        bytes.len() - bytes.iter().take_while(|&&byte| byte == 0).count()
    }

    /// Read digits, the highest first.
    #[inline(always)]
    pub fn read(&self, digits: &[u16], limbs: &mut [u64]) {
        for (limb, digits) in limbs.iter_mut().zip(digits.rchunks(self.digits)) {
            *limb = digits.iter().fold(0, |number, &digit| number * self.radix.divisor + u64::from(digit));
        }
    }

    /// Write digits, the highest first.
    #[inline(always)]
    pub fn write(&self, limbs: &[u64], digits: &mut [u16]) {
        for (&limb, digits) in limbs.iter().zip(digits.rchunks_mut(self.digits)) {
            let mut number = limb;
            for digit in digits.iter_mut().rev() {
                let (higher, rest) = self.radix.divide(number);
                (number, *digit) = (higher, rest as u16);
            }
        }
    }

    /// Add.
    #[inline(always)]
    pub fn add(&self, limbs: &mut [u64], others: &[u64]) {
        let mut carry = 0;
        for ((limb, other), base) in limbs.iter_mut().zip(others).zip(&self.bases) {
            let sum = *limb + other + carry;
            carry = u64::from(sum >= base.divisor);
            *limb = sum - carry * base.divisor;
        }
    }

    /// Subtract.
    #[inline(always)]
    pub fn subtract(&self, limbs: &mut [u64], others: &[u64]) {
        let mut borrow = 0;
        for ((limb, other), base) in limbs.iter_mut().zip(others).zip(&self.bases) {
            let (less, missing) = (*limb, other + borrow);
            borrow = u64::from(less < missing);
            *limb = less + borrow * base.divisor - missing;
        }
    }

    /// Write a number as big-endian bytes, of which there are enough, in whole words.
    #[inline(always)]
    pub fn to_bytes(&self, limbs: &[u64], bytes: &mut [u8]) {
        let words = bytes.as_rchunks_mut::<8>().1;
        for (limb, base) in limbs.iter().zip(&self.bases).rev() {
            let mut carry = *limb;
            for word in words.iter_mut().rev() {
                let product = u128::from(u64::from_be_bytes(*word)) * u128::from(base.divisor) + u128::from(carry);
                *word = (product as u64).to_be_bytes();
                carry = (product >> 64) as u64;
            }
        }
    }

    /// Read a number of big-endian words, the highest first, which are lost.
    #[inline(always)]
    pub fn reduce(&self, words: &mut [u64], limbs: &mut [u64]) {
        for (limb, base) in limbs.iter_mut().zip(&self.bases) {
            let mut rest = 0;
            for word in words.iter_mut() {
                (*word, rest) = base.divide_wide(rest, *word);
            }
            *limb = rest;
        }
    }
}
